/*-------------------------------------------------------------------------
 *
 * consensus_entry.c
 *	  Log rows that blocks order: kept, chosen, checked.
 *
 * Rows of kinds EVIDENCE, REJOIN and GOVERN are entries.  A block names them by
 * their digests; a leader takes those that its parent's chain has not ordered,
 * and a voter votes only for rows that it holds and that say something new.
 *
 * What the entries of a chain amount to is its standing (TlStanding): who is
 * convicted, which incarnation of whom is the newest, who approves of what.  An
 * entry is legal if it adds to the standing of the parent.  So no entry is
 * ordered twice, without a list of those that were.
 *
 * Each author has places of his own: one for his evidence against each member,
 * one for each of a few REJOIN, of which the newest stay, and some for approvals.
 * An honest one hardly fills more, and a flood drives out nobody else's rows.  A
 * row that a block names takes its place from another one of the same author.
 *
 * Invariants
 *	  N4  standing is that of the base; entries that can never add to it have no
 *		  place
 *	  N5  entry_count places are in use
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "consensus_rejoin.h"

#include <string.h>

#define REJOIN_PLACES	4

static bool read_evidence(const TlConsensus *core, const TlLogRow *row,
						  TlEntry *out, unsigned *place);
static bool read_rejoin(const TlConsensus *core, const TlLogRow *row,
						TlEntry *out, unsigned *place);
static bool read_approval(const TlConsensus *core, const TlLogRow *row,
						  TlEntry *out, unsigned *place);
static TlEntry *find_entry(TlConsensus *core, const TlHash *digest);
static TlEntry *oldest_rejoin(TlConsensus *core, TlEntry *places, bool bound);
static bool is_notarized(TlConsensus *core, const TlHash *digest);
static bool is_newer(const TlEntry *entry, const TlEntry *other);
static bool was_ordered(const TlMemberStanding *standing,
						const uint8_t *nonce);
static bool is_live(const TlStanding *standing, const TlEntry *entry);
static bool is_legal(const TlConsensus *core, const TlStanding *standing,
					 const TlEntry *entry);
static void apply(TlStanding *standing, const TlEntry *entry);
static void apply_block(TlConsensus *core, TlStanding *standing,
						const TlConsensusBlock *block);
static bool decide(TlConsensus *core, TlStanding *standing,
				   const TlConsensusBlock *block);
static void choose_rows(TlConsensus *core, const TlStanding *standing,
						TlConsensusBlock *out);
static bool is_too_early(const TlConsensus *core, const TlStanding *standing,
						 const TlEntry *entry);
static bool try_entry(TlConsensus *core, const TlEntry *entry,
					  const TlEntry **decided);
static TlStatus check_rows(TlConsensus *core, const TlStanding *standing,
						   const TlConsensusBlock *block);
static bool names_next_set(const TlStanding *standing,
						   const TlConsensusBlock *block);
static bool is_carrier(const TlConsensusBlock *parent,
					   const TlConsensusBlock *block);
static bool is_wanted(const TlConsensus *core, const TlHash *digest,
					  bool *bound);
static bool standing_of(TlConsensus *core, const TlConsensusBlock *block,
						const TlStanding **out);

/* How many entries of one author are kept. */
unsigned
tl_consensus_entry_places(unsigned member_count)
{
	return member_count + REJOIN_PLACES + TL_CONSENSUS_APPROVALS_WAITING;
}

/* An EVIDENCE, REJOIN or GOVERN row, of its log or fetched. */
void
tl_consensus_entry_row(TlConsensus *core, const TlLogRow *row, unsigned index)
{
	unsigned	places = tl_consensus_entry_places(core->config.member_count);
	TlEntry		entry;
	TlEntry    *place;
	unsigned	number = 0;
	bool		bound = false;
	bool		wanted;
	bool		legal;

	memset(&entry, 0, sizeof(entry));
	entry.present = true;
	entry.kind = row->kind;
	entry.author = index;
	tl_consensus_row_digest(&entry.digest, &core->config.chain_id, row);
	/* One that rests on another which is not here. */
	if (row->kind == TL_LOG_REJOIN &&
		tl_consensus_answer_valid(core, row) == TL_NOT_FINAL)
		return;
	if (row->kind == TL_LOG_EVIDENCE)
		legal = read_evidence(core, row, &entry, &number);
	else if (row->kind == TL_LOG_REJOIN)
		legal = read_rejoin(core, row, &entry, &number);
	else
		legal = read_approval(core, row, &entry, &number);
	if (!legal)
	{
		/* What was legal in its own epoch is nobody's fault now. */
		if (row->epoch == core->config.epoch)
			tl_consensus_alarm(core, TL_ALARM_ILLEGAL_ROW, row->member);
		return;
	}
	if (!is_live(&core->standing, &entry) ||
		find_entry(core, &entry.digest) != NULL)
		return;
	wanted = is_wanted(core, &entry.digest, &bound);
	place = &core->entries[(size_t) index * places + number];
	if (row->kind == TL_LOG_REJOIN)
		place = oldest_rejoin(core, place, bound);
	if (place == NULL ||
		(place->present &&
		 (place->bound || !(wanted || is_newer(&entry, place)))))
		return;
	core->entry_count += !place->present;
	entry.bound = bound;
	*place = entry;
}

/*
 * The entries of a block on that parent: at most one of each author, and one
 * about each member.  A carrier has none, and its parent's cut.  False if the
 * parent's standing is not known yet.
 */
bool
tl_consensus_entry_choose(TlConsensus *core, const TlConsensusBlock *parent,
						  TlConsensusBlock *out)
{
	const TlStanding *standing;

	if (!standing_of(core, parent, &standing))
		return false;
	if (!TL_RULE(23, !standing->changed))
	{
		out->lane_count = parent->lane_count;
		memcpy(out->cut, parent->cut, sizeof(out->cut));
		return true;
	}
	if (core->entry_count == 0)
		return true;
	choose_rows(core, standing, out);
	if (decide(core, &core->trial, out) && core->trial.changed)
		tl_consensus_block_add_entry(out, TL_ENTRY_MEMBERS,
									 &core->trial.next_members);
	return true;
}

/*
 * R19: is every entry of the block held?  R20: is it of the kind that the block
 * says, and does it add to the standing of the parent?  R22: does the block
 * decide at most one motion, and name the set that follows?  R23: does it order
 * nothing if the epoch has ended?  TL_NOT_FINAL if something is missing, which
 * is then asked for.
 */
TlStatus
tl_consensus_entry_check(TlConsensus *core, const TlConsensusBlock *parent,
						 TlKnownBlock *known)
{
	const TlConsensusBlock *block = &known->block;
	const TlStanding *standing;
	bool		held = tl_consensus_entry_fetch(core, known, false);

	if (!standing_of(core, parent, &standing) || !held)
		return TL_NOT_FINAL;
	if (standing->changed && TL_RULE(23, is_carrier(parent, block)))
		return TL_OK;
	if (!TL_RULE(23, !standing->changed))
		return TL_BAD_ORDER;
	if (block->entry_count == 0)
		return TL_OK;
	return check_rows(core, standing, block);
}

/*
 * Ask for the rows of a block that are not here.  Those of a final block keep
 * their place against others.  True if nothing is missing.
 */
bool
tl_consensus_entry_fetch(TlConsensus *core, TlKnownBlock *known, bool final)
{
	const TlConsensusBlock *block = &known->block;
	unsigned	missing = 0;
	bool		may = false;

	for (unsigned i = 0; i < block->entry_count; i++)
	{
		const TlHash *digest = &block->entries[i].digest;
		TlEntry    *entry = find_entry(core, digest);
		TlAction   *action;

		if (entry != NULL)
			entry->bound |= final;
		if (TL_RULE(19, entry != NULL) ||
			block->entries[i].kind == TL_ENTRY_MEMBERS)
			continue;
		if (missing == 0)
			may = tl_consensus_pace_may_fetch(core, &known->rows_asked_us);
		core->wanted[final][missing++] = *digest;
		action = may ? tl_consensus_act(core, TL_ACT_FETCH_ROW) : NULL;
		if (action != NULL)
			action->hash = *digest;
	}
	if (missing > 0)
		core->wanted_count[final] = missing;
	return missing == 0;
}

/* The block, all of whose rows are here, becomes the base. */
void
tl_consensus_entry_handed(TlConsensus *core, const TlConsensusBlock *block)
{
	unsigned	places = tl_consensus_entry_places(core->config.member_count);

	memset(&core->decided, 0, sizeof(core->decided));
	if (block->entry_count == 0)
		return;
	apply_block(core, &core->standing, block);
	for (unsigned i = 0; i < block->entry_count; i++)
	{
		const TlEntry *entry = find_entry(core, &block->entries[i].digest);

		/* R39: batches that came before are read once more. */
		if (entry != NULL && entry->kind == TL_LOG_REJOIN)
			core->lanes[entry->subject].dropped |=
				core->peers[entry->subject].early;
	}
	for (size_t i = 0; i < (size_t) core->config.member_count * places; i++)
	{
		TlEntry    *entry = &core->entries[i];

		if (!entry->present || is_live(&core->standing, entry))
			continue;
		entry->present = false;
		core->entry_count--;
	}
}

/*
 * R38: does the newest notarized block, or one below it, end the epoch?  Also if
 * that cannot be told, because a block or a row is still on its way.
 */
bool
tl_consensus_entry_changing(TlConsensus *core)
{
	for (uint64_t number = core->high; number > core->base.header.view; number--)
	{
		TlView	   *view = tl_consensus_view(core, number);
		const TlStanding *standing;
		TlKnownBlock *known;

		if (view == NULL || !view->certified[VOTE_NOTARIZE].present)
			continue;
		known = tl_consensus_proposal_find(core, number,
										   &view->certified[VOTE_NOTARIZE].block);
		return known == NULL || !tl_consensus_proposal_link(core, known) ||
			!standing_of(core, &known->block, &standing) || standing->changed;
	}
	return core->standing.changed;
}

/* The number of the own incarnation; false if its REJOIN is not final. */
bool
tl_consensus_entry_number(const TlConsensus *core, uint16_t *number)
{
	const TlMemberStanding *standing;

	*number = 0;
	if (core->own.index >= core->config.member_count)
		return false;
	standing = &core->standing.members[core->own.index];
	*number = standing->incarnation;
	if (memcmp(standing->nonce, core->own.nonce, TL_NONCE_SIZE) == 0)
		return true;
	for (unsigned i = 0; i < standing->incarnation &&
		 i + 1 < TL_INCARNATIONS_KEPT; i++)
	{
		*number = (uint16_t) (standing->incarnation - 1 - i);
		if (memcmp(standing->older[i], core->own.nonce, TL_NONCE_SIZE) == 0)
			return true;
	}
	return false;
}

/* Do blocks order the REJOIN of that nonce before the one that opened the own log? */
bool
tl_consensus_entry_older(const TlConsensus *core, const uint8_t *nonce)
{
	const TlMemberStanding *standing = &core->standing.members[core->own.index];
	bool		newer = memcmp(standing->nonce, core->own.nonce, TL_NONCE_SIZE) == 0;

	for (unsigned i = 0; i < standing->incarnation &&
		 i + 1 < TL_INCARNATIONS_KEPT; i++)
	{
		if (newer && memcmp(standing->older[i], nonce, TL_NONCE_SIZE) == 0)
			return true;
		newer |= memcmp(standing->older[i], core->own.nonce, TL_NONCE_SIZE) == 0;
	}
	return false;
}

/*
 * R39: the newest REJOIN of each member is to be ordered.  Its place may have
 * been taken by an older one when it came.
 */
void
tl_consensus_entry_want(TlConsensus *core)
{
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		const TlIncarnation *newest = &core->peers[i].incarnations[0];
		const TlMemberStanding *standing = &core->standing.members[i];
		TlAction   *action;

		if (!newest->present || was_ordered(standing, newest->nonce) ||
			find_entry(core, &newest->digest) != NULL ||
			!tl_consensus_pace_may_fetch(core, &core->peers[i].rejoin_asked_us))
			continue;
		action = tl_consensus_act(core, TL_ACT_FETCH_ROW);
		if (action != NULL)
			action->hash = newest->digest;
	}
}

/* Is there a row that a block could order?  What is final has no place. */
bool
tl_consensus_entry_work(const TlConsensus *core)
{
	size_t		count = (size_t) core->config.member_count *
		tl_consensus_entry_places(core->config.member_count);

	for (size_t i = 0; core->entry_count > 0 && i < count; i++)
	{
		if (core->entries[i].present &&
			is_legal(core, &core->standing, &core->entries[i]))
			return true;
	}
	return false;
}

/* False if it convicts nobody who is a member. */
static bool
read_evidence(const TlConsensus *core, const TlLogRow *row, TlEntry *out,
			  unsigned *place)
{
	TlEvidence	evidence;

	if (tl_consensus_evidence_decode(&evidence, &core->config.chain_id,
									 row->payload.data,
									 row->payload.size) != TL_OK)
		return false;
	out->subject = tl_consensus_index(core, evidence.rows[0].row.member);
	out->epoch = evidence.rows[0].row.epoch;
	if (evidence.rows[1].row.epoch > out->epoch)
		out->epoch = evidence.rows[1].row.epoch;
	*place = out->subject;
	return out->subject < core->config.member_count &&
		out->epoch <= core->config.epoch;
}

static bool
read_rejoin(const TlConsensus *core, const TlLogRow *row, TlEntry *out,
			unsigned *place)
{
	TlRejoin	rejoin;

	if (tl_consensus_rejoin_decode(&rejoin, row->payload.data,
								   row->payload.size) != TL_OK ||
		tl_consensus_answer_valid(core, row) != TL_OK)
		return false;
	out->subject = out->author;
	out->epoch = row->epoch;
	out->view = row->view;
	out->incarnation = rejoin.incarnation;
	memcpy(out->nonce, rejoin.nonce, TL_NONCE_SIZE);
	memcpy(out->nonce_before, rejoin.nonce_before, TL_NONCE_SIZE);
	*place = core->config.member_count;
	return true;
}

static bool
read_approval(const TlConsensus *core, const TlLogRow *row, TlEntry *out,
			  unsigned *place)
{
	if (!tl_consensus_approval_read(core, row, out))
		return false;
	out->subject = out->author;
	*place = core->config.member_count + REJOIN_PLACES +
		out->number % TL_CONSENSUS_APPROVALS_WAITING;
	return true;
}

static TlEntry *
find_entry(TlConsensus *core, const TlHash *digest)
{
	size_t		count = (size_t) core->config.member_count *
		tl_consensus_entry_places(core->config.member_count);

	for (size_t i = 0; core->entry_count > 0 && i < count; i++)
	{
		if (core->entries[i].present &&
			tl_consensus_same(&core->entries[i].digest, digest))
			return &core->entries[i];
	}
	return NULL;
}

/*
 * A free place for a REJOIN, else that of the oldest which may go: not one that
 * a notarized block orders, or two of them would push each other out for ever.
 * For one of the next final block (bound) even that, the newest: of blocks that were
 * taken (P17) many may be notarized.  NULL if none may.
 */
static TlEntry *
oldest_rejoin(TlConsensus *core, TlEntry *places, bool bound)
{
	TlEntry    *oldest = NULL;
	TlEntry    *newest = NULL;

	for (unsigned i = 0; i < REJOIN_PLACES; i++)
	{
		TlEntry    *place = &places[i];

		if (!place->present)
			return place;
		if (!place->bound && (oldest == NULL || is_newer(oldest, place)) &&
			!is_notarized(core, &place->digest))
			oldest = place;
		if (!place->bound && (newest == NULL || is_newer(place, newest)))
			newest = place;
	}
	return (oldest == NULL && bound) ? newest : oldest;
}

/* Does a notarized block that is not final order that row? */
static bool
is_notarized(TlConsensus *core, const TlHash *digest)
{
	for (uint64_t number = core->low + 1; number <= core->high; number++)
	{
		const TlView *view = tl_consensus_view(core, number);
		const TlKnownBlock *known;

		if (view == NULL || !view->certified[VOTE_NOTARIZE].present)
			continue;
		known = tl_consensus_proposal_find(core, number,
										   &view->certified[VOTE_NOTARIZE].block);
		for (unsigned i = 0; known != NULL && i < known->block.entry_count; i++)
		{
			if (tl_consensus_same(&known->block.entries[i].digest, digest))
				return true;
		}
	}
	return false;
}

/* Of two REJOIN of one author only the newer one matters. */
static bool
is_newer(const TlEntry *entry, const TlEntry *other)
{
	return entry->kind == TL_LOG_REJOIN &&
		tl_consensus_answer_compare(entry->epoch, entry->view, entry->nonce,
									other->epoch, other->view, other->nonce) > 0;
}

/* Is it one of the newest incarnations that are ordered, or the first? */
static bool
was_ordered(const TlMemberStanding *standing, const uint8_t *nonce)
{
	if (memcmp(standing->nonce, nonce, TL_NONCE_SIZE) == 0)
		return true;
	for (unsigned i = 0; i + 1 < TL_INCARNATIONS_KEPT; i++)
	{
		if (memcmp(standing->older[i], nonce, TL_NONCE_SIZE) == 0)
			return true;
	}
	return false;
}

/* Does it add to that standing? */
static bool
is_live(const TlStanding *standing, const TlEntry *entry)
{
	const TlMemberStanding *subject = &standing->members[entry->subject];

	switch (entry->kind)
	{
		case TL_LOG_EVIDENCE:
			return TL_RULE(20, entry->epoch >= subject->convicted);
		case TL_LOG_REJOIN:
			/* Among several members the number comes from the order. */
			if (entry->incarnation == 0)
				return TL_RULE(20, !was_ordered(subject, entry->nonce) &&
							   (entry->epoch > subject->epoch ||
								(entry->epoch == subject->epoch &&
								 entry->view >= subject->view)));
			return TL_RULE(20, entry->incarnation > subject->incarnation &&
						   memcmp(entry->nonce_before, subject->nonce,
								  TL_NONCE_SIZE) == 0);
		default:
			return entry->number > subject->approvals &&
				entry->number <= subject->approvals +
				TL_CONSENSUS_APPROVALS_WAITING;
	}
}

/* Does it add to that standing? */
static bool
is_legal(const TlConsensus *core, const TlStanding *standing,
		 const TlEntry *entry)
{
	return is_live(standing, entry) &&
		(entry->kind != TL_LOG_GOVERN ||
		 tl_consensus_approval_is_legal(core, standing, entry));
}

static void
apply(TlStanding *standing, const TlEntry *entry)
{
	TlMemberStanding *subject = &standing->members[entry->subject];

	switch (entry->kind)
	{
		case TL_LOG_EVIDENCE:
			subject->convicted = entry->epoch + 1;
			break;
		case TL_LOG_REJOIN:
			memmove(subject->older[1], subject->older[0],
					sizeof(subject->older) - TL_NONCE_SIZE);
			memcpy(subject->older[0], subject->nonce, TL_NONCE_SIZE);
			if (entry->incarnation == 0)
				subject->incarnation++;
			else
				subject->incarnation = entry->incarnation;
			memcpy(subject->nonce, entry->nonce, TL_NONCE_SIZE);
			subject->epoch = entry->epoch;
			subject->view = entry->view;
			break;
		default:
			tl_consensus_approval_apply(standing, entry);
			break;
	}
}

/* A block that was checked, by this node or by a quorum. */
static void
apply_block(TlConsensus *core, TlStanding *standing,
			const TlConsensusBlock *block)
{
	for (unsigned i = 0; i < block->entry_count; i++)
	{
		const TlEntry *entry = find_entry(core, &block->entries[i].digest);

		if (entry != NULL)
			apply(standing, entry);
	}
	(void) decide(core, standing, block);
}

/* What the block decides, once all its entries stand.  False if two motions. */
static bool
decide(TlConsensus *core, TlStanding *standing, const TlConsensusBlock *block)
{
	const TlEntry *decided = NULL;

	for (unsigned i = 0; i < block->entry_count; i++)
	{
		const TlEntry *entry;

		if (block->entries[i].kind != TL_LOG_GOVERN)
			continue;
		entry = find_entry(core, &block->entries[i].digest);
		if (entry != NULL && entry->kind == TL_LOG_GOVERN &&
			!tl_consensus_approval_fits(core, standing, entry, &decided))
			return false;
	}
	memset(&core->decided, 0, sizeof(core->decided));
	if (decided != NULL)
	{
		core->decided = decided->digest;
		tl_consensus_approval_decide(core, standing, decided);
	}
	return true;
}

/* Leaves the standing with them in core->trial, before anything is decided. */
static void
choose_rows(TlConsensus *core, const TlStanding *standing,
			TlConsensusBlock *out)
{
	unsigned	places = tl_consensus_entry_places(core->config.member_count);
	const TlEntry *decided = NULL;
	uint64_t	subjects = 0;

	core->trial = *standing;
	for (unsigned author = 0; author < core->config.member_count; author++)
	{
		/* From the last place on: approvals and a REJOIN before evidence. */
		for (unsigned number = places; number-- > 0;)
		{
			const TlEntry *entry = &core->entries[(size_t) author * places + number];

			if (!entry->present || (subjects >> entry->subject & 1) ||
				!is_legal(core, standing, entry) ||
				is_too_early(core, standing, entry) ||
				!try_entry(core, entry, &decided))
				continue;
			subjects |= UINT64_C(1) << entry->subject;
			tl_consensus_block_add_entry(out, entry->kind, &entry->digest);
			break;
		}
	}
}

/*
 * A second REJOIN of a member waits until the first is final: others may have
 * no place for many.
 */
static bool
is_too_early(const TlConsensus *core, const TlStanding *standing,
			 const TlEntry *entry)
{
	return entry->kind == TL_LOG_REJOIN &&
		memcmp(standing->members[entry->subject].nonce,
			   core->standing.members[entry->subject].nonce,
			   TL_NONCE_SIZE) != 0;
}

/* Does it fit in beside those chosen before?  Not if it decided a second motion. */
static bool
try_entry(TlConsensus *core, const TlEntry *entry, const TlEntry **decided)
{
	TlMemberStanding before = core->trial.members[entry->subject];

	apply(&core->trial, entry);
	if (entry->kind != TL_LOG_GOVERN ||
		tl_consensus_approval_fits(core, &core->trial, entry, decided))
		return true;
	core->trial.members[entry->subject] = before;
	return false;
}

static TlStatus
check_rows(TlConsensus *core, const TlStanding *standing,
		   const TlConsensusBlock *block)
{
	uint64_t	authors = 0;
	uint64_t	subjects = 0;

	core->trial = *standing;
	for (unsigned i = 0; i < block->entry_count; i++)
	{
		const TlEntry *entry = find_entry(core, &block->entries[i].digest);

		if (block->entries[i].kind == TL_ENTRY_MEMBERS || entry == NULL)
			continue;			/* not held only if R19 is forgotten */
		if (!TL_RULE(20, entry->kind == block->entries[i].kind &&
					 !(authors >> entry->author & 1) &&
					 !(subjects >> entry->subject & 1) &&
					 is_legal(core, standing, entry)))
			return TL_BAD_ORDER;
		authors |= UINT64_C(1) << entry->author;
		subjects |= UINT64_C(1) << entry->subject;
		apply(&core->trial, entry);
	}
	if (!decide(core, &core->trial, block) ||
		!names_next_set(&core->trial, block))
		return TL_BAD_ORDER;
	return TL_OK;
}

/* R22: the hash of the next set stands in the block that decides it, only there. */
static bool
names_next_set(const TlStanding *standing, const TlConsensusBlock *block)
{
	unsigned	named = 0;

	for (unsigned i = 0; i < block->entry_count; i++)
	{
		if (block->entries[i].kind != TL_ENTRY_MEMBERS)
			continue;
		if (!standing->changed ||
			!tl_consensus_same(&block->entries[i].digest,
							   &standing->next_members))
			return false;
		named++;
	}
	return named == (standing->changed ? 1 : 0);
}

static bool
is_carrier(const TlConsensusBlock *parent, const TlConsensusBlock *block)
{
	return block->entry_count == 0 &&
		tl_consensus_same(&block->header.cut_hash, &parent->header.cut_hash);
}

static bool
is_wanted(const TlConsensus *core, const TlHash *digest, bool *bound)
{
	bool		wanted = false;

	for (unsigned final = 0; final < 2; final++)
	{
		for (unsigned i = 0; i < core->wanted_count[final]; i++)
		{
			if (!tl_consensus_same(&core->wanted[final][i], digest))
				continue;
			wanted = true;
			*bound |= (final == 1);
		}
	}
	return wanted;
}

/*
 * The standing that a linked block leaves.  False if a row that it or an
 * ancestor orders is not here; those of the lowest one are then asked for.
 */
static bool
standing_of(TlConsensus *core, const TlConsensusBlock *block,
			const TlStanding **out)
{
	unsigned	depth = 0;
	bool		any = false;

	while (!tl_consensus_same(&block->hash, &core->base.hash))
	{
		TlKnownBlock *known = tl_consensus_proposal_find(core,
														 block->header.view,
														 &block->hash);

		if (known == NULL || depth >= core->config.view_count)
			return false;
		core->path[depth++] = known;
		any |= (known->block.entry_count > 0);
		block = tl_consensus_proposal_parent(core, &known->block);
		if (block == NULL)
			return false;
	}
	*out = &core->standing;
	if (!any)
		return true;
	core->above = core->standing;
	*out = &core->above;
	while (depth-- > 0)
	{
		TlKnownBlock *known = core->path[depth];

		if (!tl_consensus_entry_fetch(core, known, false))
			return false;
		apply_block(core, &core->above, &known->block);
	}
	return true;
}

/* Put an entry into the block, in order of digest. */
void
tl_consensus_block_add_entry(TlConsensusBlock *block, uint8_t kind,
							 const TlHash *digest)
{
	unsigned	place = block->entry_count++;

	while (place > 0 && memcmp(block->entries[place - 1].digest.bytes,
							   digest->bytes, TL_HASH_SIZE) > 0)
	{
		block->entries[place] = block->entries[place - 1];
		place--;
	}
	block->entries[place].kind = kind;
	block->entries[place].digest = *digest;
}

/*-------------------------------------------------------------------------
 *
 * consensus_approval.c
 *	  Counting approvals of motions along the chain; writing the own ones.
 *
 * The standing of a chain holds, of each member, how many of his approvals of
 * this epoch it has ordered, and the motions of the newest ones.  An approval
 * has to bear the next number, so each is ordered once, and in the order in
 * which its member gave them; a leader cannot pass one over.  Those that have
 * become too old count no longer: a member approves of only so many motions at
 * a time.
 *
 * A block decides a motion if, after all of its entries, q validators of the
 * epoch approve of it.
 *
 * Invariants
 *	  N6  a block decides at most one motion (R22)
 *	  N7  a member counts once, and only validators do (R21)
 *
 * Pure code: no PostgreSQL, no allocation, no clock.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "consensus_epoch.h"

#include <string.h>

static bool is_decided(const TlConsensus *core, const TlStanding *standing,
					   const TlHash *motion);

/* What the row approves of.  False if that is nothing this epoch can decide. */
bool
tl_consensus_approval_read(const TlConsensus *core, const TlLogRow *row,
						   TlEntry *out)
{
	TlGovern	govern;
	TlMotion	motion;

	if (tl_consensus_govern_decode(&govern, row->payload.data,
								   row->payload.size) != TL_OK ||
		tl_consensus_motion_decode(&motion, govern.motion.data,
								   govern.motion.size) != TL_OK ||
		motion.epoch != core->config.epoch)
		return false;
	out->number = govern.number;
	out->motion_kind = motion.kind;
	tl_consensus_motion_digest(&out->motion, govern.motion);
	return motion.kind != TL_MOTION_CHANGE ||
		tl_consensus_epoch_check(&core->config, &motion,
								 &out->next_members) == TL_OK;
}

/* R21: by a validator, of this epoch, the next of its author. */
bool
tl_consensus_approval_is_legal(const TlConsensus *core,
							   const TlStanding *standing,
							   const TlEntry *entry)
{
	return TL_RULE(21, core->config.members[entry->author].validator) &&
		entry->number == standing->members[entry->author].approvals + 1;
}

/* The author's newest approval; the oldest that counted counts no longer. */
void
tl_consensus_approval_apply(TlStanding *standing, const TlEntry *entry)
{
	TlMemberStanding *author = &standing->members[entry->author];

	author->approvals = entry->number;
	author->approved[entry->number % TL_CONSENSUS_APPROVALS_MAX] = entry->motion;
}

/* Would a block after which the chain stands so decide two motions? */
bool
tl_consensus_approval_fits(const TlConsensus *core, const TlStanding *standing,
						   const TlEntry *entry, const TlEntry **decided)
{
	if (!is_decided(core, standing, &entry->motion))
		return true;
	if (*decided != NULL &&
		!tl_consensus_same(&(*decided)->motion, &entry->motion))
		return false;
	*decided = entry;
	return true;
}

/* The motion is decided: it is approved of no longer, and may end the epoch. */
void
tl_consensus_approval_decide(const TlConsensus *core, TlStanding *standing,
							 const TlEntry *entry)
{
	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		for (unsigned j = 0; j < TL_CONSENSUS_APPROVALS_MAX; j++)
		{
			TlHash	   *approved = &standing->members[i].approved[j];

			if (tl_consensus_same(approved, &entry->motion))
				memset(approved, 0, sizeof(*approved));
		}
	}
	if (entry->motion_kind != TL_MOTION_CHANGE)
		return;
	standing->changed = true;
	standing->change_row = entry->digest;
	standing->next_members = entry->next_members;
}

/*
 * How many approvals this member has given in this epoch.  The own log does not
 * tell if memory was lost: what was ordered of them counts as well.
 */
uint32_t
tl_consensus_approval_count(const TlConsensus *core)
{
	uint32_t	ordered;

	if (core->own.index >= core->config.member_count)
		return 0;
	ordered = core->standing.members[core->own.index].approvals;
	return (core->own.approvals > ordered) ? core->own.approvals : ordered;
}

/* A GOVERN row of the own log. */
void
tl_consensus_approval_own_row(TlConsensus *core, const TlLogRow *row)
{
	TlGovern	govern;

	if (row->epoch == core->config.epoch &&
		tl_consensus_govern_decode(&govern, row->payload.data,
								   row->payload.size) == TL_OK &&
		govern.number > core->own.approvals)
		core->own.approvals = govern.number;
}

/* R26: is it of nothing that asks for a protocol which this program lacks? */
bool
tl_consensus_approval_is_known(const TlConsensus *core, TlSpan payload)
{
	TlGovern	govern;
	TlMotion	motion;

	return tl_consensus_govern_decode(&govern, payload.data, payload.size) != TL_OK ||
		tl_consensus_motion_decode(&motion, govern.motion.data,
								   govern.motion.size) != TL_OK ||
		TL_RULE(26, motion.protocol <= core->config.protocol_max);
}

/* Append the own next approval, if it is that and there is a place for it. */
bool
tl_consensus_approval_make(TlConsensus *core, TlSpan payload)
{
	TlOwn	   *own = &core->own;
	TlLogRow	row;
	TlEntry		entry;

	memset(&row, 0, sizeof(row));
	memset(&entry, 0, sizeof(entry));
	row.payload = payload;
	if (!own->votes || core->standing.changed ||
		!tl_consensus_approval_read(core, &row, &entry) ||
		entry.number != tl_consensus_approval_count(core) + 1 ||
		entry.number > core->standing.members[own->index].approvals +
		TL_CONSENSUS_APPROVALS_WAITING)
		return false;
	if (!tl_consensus_append(core, TL_LOG_GOVERN, own->view, payload))
		return false;
	own->approvals = entry.number;
	return true;
}

/* Do q validators approve of it? */
static bool
is_decided(const TlConsensus *core, const TlStanding *standing,
		   const TlHash *motion)
{
	unsigned	quorum = core->quorum - (TL_FORGOTTEN(22) && core->quorum > 1);
	unsigned	count = 0;

	for (unsigned i = 0; i < core->config.member_count; i++)
	{
		unsigned	times = 0;

		for (unsigned j = 0; j < TL_CONSENSUS_APPROVALS_MAX; j++)
			times += tl_consensus_same(&standing->members[i].approved[j], motion);
		count += TL_FORGOTTEN(21) ? times : (times > 0);
	}
	return count >= quorum;
}

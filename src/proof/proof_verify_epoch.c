/*-------------------------------------------------------------------------
 *
 * proof_verify_epoch.c
 *	  Who the members were in each epoch, and that it was decided.
 *
 * The members of an epoch are those of the one before and what the motion in
 * ledger_internal.epoch makes of them.  The block that founds the epoch names
 * the hash of the result among its entries, and is signed by a quorum of the
 * epoch before; so from genesis on each set proves the next one.
 *
 * Invariants
 *	  V14 the entries of a founding block give its entries root, and the one
 *		  about members is the hash of the set that the motion makes
 *
 * A set that is not proved so is not used: what it has signed counts as signed
 * by nobody.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "chain_statement.h"
#include "consensus_govern.h"
#include "consensus_types.h"
#include "proof_verify.h"
#include "tl_error.h"

static TlStatement select_epochs = {
	"SELECT e.epoch, e.height, e.motion, b.header, o.entries FROM ledger_internal.epoch AS e"
	" LEFT JOIN ledger_internal.block AS b ON b.height = e.height"
	" LEFT JOIN ledger_internal.block_order AS o ON o.height = e.height ORDER BY e.epoch",
	0, {0}
};
static TlStatement select_ordered = {
	"SELECT FROM ledger_internal.order_mode", 0, {0}
};

static const char *read_epoch(TlVerification *run, uint64 row);
static const char *change_members(TlGenesis *set, TlSpan bytes);
static bool set_member(TlGenesis *set, const TlMember *member);
static const char *check_founding(TlSpan header_bytes, TlSpan list, uint64_t epoch,
								  const TlHash *members_hash);
static bool copied(TlSpan *out, uint64 row, int column);

/* After genesis: the sets of the epochs since, as far as they are proved. */
void
tl_proof_verify_load_epochs(TlVerification *run)
{
	uint64		count;

	run->quorum = tl_chain_execute(&select_ordered, NULL, NULL, true) > 0 ||
		run->genesis.member_count > 1;
	count = tl_chain_execute(&select_epochs, NULL, NULL, true);
	run->epochs = palloc(sizeof(TlGenesis) * (count + 1));
	run->epochs[0] = run->genesis;
	run->epoch_count = 1;
	for (uint64 i = 0; i < count; i++)
	{
		const char *detail = read_epoch(run, i);
		bool		is_null;
		Datum		height = tl_chain_result(i, 1, &is_null);

		if (detail == NULL)
			continue;
		tl_proof_verify_report(run, &(TlProblem) {
			.kind = "block_changed",
			.has_height = true,
			.height = DatumGetInt64(height),
			.detail = detail
		});
		return;
	}
}

/* The members of that epoch, and what they have agreed on; NULL: not proved. */
const TlGenesis *
tl_proof_verify_epoch(const TlVerification *run, uint64_t epoch)
{
	return epoch < (uint64_t) run->epoch_count ? &run->epochs[epoch] : NULL;
}

/* This node, as the newest set that has it says; NULL: none has. */
const TlMember *
tl_proof_verify_self(const TlVerification *run)
{
	for (int i = run->epoch_count - 1; i >= 0; i--)
	{
		const TlMember *member = tl_chain_member_find(run->epochs[i].members,
													  run->epochs[i].member_count,
													  run->identity.member);

		if (member != NULL)
			return member;
	}
	return NULL;
}

/* NULL, and there is a set more; or what is wrong. */
static const char *
read_epoch(TlVerification *run, uint64 row)
{
	TlGenesis  *set = &run->epochs[run->epoch_count];
	TlSpan		motion;
	TlSpan		header;
	TlSpan		entries;
	TlHash		hash;
	const char *detail;

	if (DatumGetInt64(tl_chain_result(row, 0, NULL)) != run->epoch_count)
		return "The epochs in ledger_internal.epoch do not go on by one.";
	if (!copied(&motion, row, 2) || !copied(&header, row, 3) || !copied(&entries, row, 4))
		return "The block that founds an epoch of ledger_internal.epoch is not here.";
	*set = run->epochs[run->epoch_count - 1];
	detail = change_members(set, motion);
	if (detail == NULL &&
		tl_chain_members_hash(&hash, set->members, set->member_count) != TL_OK)
		detail = "A motion in ledger_internal.epoch does not make a set of members.";
	if (detail == NULL)
		detail = check_founding(header, entries, (uint64_t) run->epoch_count - 1, &hash);
	if (detail == NULL)
		run->epoch_count++;
	return detail;
}

static const char *
change_members(TlGenesis *set, TlSpan bytes)
{
	const char *broken = "A motion in ledger_internal.epoch cannot be read.";
	TlMotion	motion;
	TlReader	reader;

	if (tl_consensus_motion_decode(&motion, bytes.data, bytes.size) != TL_OK ||
		motion.kind != TL_MOTION_CHANGE)
		return broken;
	tl_reader_init(&reader, motion.removed.data, motion.removed.size);
	for (unsigned i = 0; i < motion.removed_count; i++)
	{
		uint32_t	number = tl_get_u32(&reader);

		for (unsigned j = 0; j < set->member_count; j++)
		{
			if (set->members[j].number != number)
				continue;
			memmove(&set->members[j], &set->members[j + 1],
					sizeof(TlMember) * (set->member_count - j - 1));
			set->member_count--;
		}
	}
	tl_reader_init(&reader, motion.set.data, motion.set.size);
	for (unsigned i = 0; i < motion.set_count; i++)
	{
		TlSpan		leaf = tl_get_span(&reader, tl_get_u16(&reader));
		TlMember	member;

		if (tl_chain_member_decode(&member, leaf.data, leaf.size) != TL_OK ||
			!set_member(set, &member))
			return broken;
	}
	set->quorum_of_three = motion.quorum_of_three;
	return NULL;
}

/* In his place, or behind all; a new number is higher than all before. */
static bool
set_member(TlGenesis *set, const TlMember *member)
{
	for (unsigned i = 0; i < set->member_count; i++)
		if (set->members[i].number == member->number)
		{
			set->members[i] = *member;
			return true;
		}
	if (set->member_count == TL_MEMBER_COUNT_MAX)
		return false;
	set->members[set->member_count++] = *member;
	return true;
}

/* V14; that the block is final the walk along the chain finds out. */
static const char *
check_founding(TlSpan header_bytes, TlSpan list, uint64_t epoch, const TlHash *members_hash)
{
	TlBlockEntry *entries = palloc(sizeof(TlBlockEntry) * TL_CONSENSUS_ENTRIES_MAX);
	TlBlockHeader header;
	TlHash		root;
	unsigned	count;

	if (tl_chain_block_decode(&header, header_bytes.data, header_bytes.size) != TL_OK ||
		tl_chain_entries_decode(entries, &count, TL_CONSENSUS_ENTRIES_MAX, list.data,
								list.size) != TL_OK ||
		tl_chain_entries_root(&root, entries, count) != TL_OK ||
		memcmp(&root, &header.entries_root, TL_HASH_SIZE) != 0 ||
		header.epoch != epoch)
		return "The block that founds an epoch of ledger_internal.epoch does not have the entries that are kept with it.";
	for (unsigned i = 0; i < count; i++)
		if (entries[i].kind == TL_ENTRY_MEMBERS &&
			memcmp(&entries[i].digest, members_hash, TL_HASH_SIZE) == 0)
			return NULL;
	return "The motion in ledger_internal.epoch does not make the members that the block has decided.";
}

/* A copy that outlives the next statement; false if it is null. */
static bool
copied(TlSpan *out, uint64 row, int column)
{
	bool		is_null;
	Datum		value = tl_chain_result(row, column, &is_null);
	bytea	   *bytes;

	if (is_null)
		return false;
	bytes = DatumGetByteaPCopy(value);
	out->data = (const uint8_t *) VARDATA_ANY(bytes);
	out->size = VARSIZE_ANY_EXHDR(bytes);
	return true;
}

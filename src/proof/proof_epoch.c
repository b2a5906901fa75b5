/*-------------------------------------------------------------------------
 *
 * proof_epoch.c
 *	  From the members in genesis to those who signed a later block.
 *
 * A block that ends an epoch holds the hash of the next set, so the quorum that
 * made it final has certified that set.  Who they are says the motion, in an
 * approval that the same block orders.  Two motions could lead to one set and
 * differ in its quorum: so all approvals of the block are here, and must agree.
 *
 * Invariants
 *	  E1  a set is believed only if a quorum of the one before has certified its
 *		  hash
 *	  E2  every byte of a change is in a hash or under a signature
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by the checks of receipts.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_epoch.h"

#include "consensus_epoch.h"
#include "proof_step.h"

#include <string.h>

/* A block that ends an epoch, as its certificate shows it. */
typedef struct Founding
{
	TlBlockHeader header;
	TlHash		members_hash;	/* of the next set */
	unsigned	entry_count;
	TlBlockEntry entries[TL_CONSENSUS_ENTRIES_MAX];
} Founding;

static const char *follow_one(TlProofMembers *members, const TlHash *chain_id,
							  TlReader *reader);
static const char *read_founding(Founding *out, const TlProofMembers *members,
								 const TlHash *chain_id, TlSpan bytes);
static const char *find_motion(TlMotion *out, const TlProofMembers *members,
							   const TlHash *chain_id, const Founding *founding,
							   TlReader *reader);
static const char *read_approval(TlMotion *out, const TlProofMembers *members,
								 const TlHash *chain_id,
								 const TlBlockEntry *entry, TlSpan bytes);
static bool leads_to(const TlMotion *motion, const TlProofMembers *members,
					 const TlHash *members_hash);
static const char *change_set(TlProofMembers *members, const TlMotion *motion);
static bool remove_member(TlProofMembers *members, uint32_t number);
static bool set_member(TlProofMembers *members, TlSpan leaf);

void
tl_proof_epoch_begin(TlProofMembers *out, const TlGenesis *genesis)
{
	memset(out, 0, sizeof(*out));
	out->set = *genesis;
	out->number_max = genesis->members[genesis->member_count - 1].number;
}

const char *
tl_proof_epoch_follow(TlProofMembers *members, const TlHash *chain_id,
					  TlSpan changes)
{
	TlReader	reader;
	const char *problem = NULL;

	tl_reader_init(&reader, changes.data, changes.size);
	while (problem == NULL && reader.offset < reader.size)
		problem = follow_one(members, chain_id, &reader);
	return problem;
}

const char *
tl_proof_epoch_follow_to(TlProofMembers *members, const TlHash *chain_id,
						 TlSpan changes, uint64_t epoch)
{
	TlReader	reader;
	const char *problem = NULL;

	tl_reader_init(&reader, changes.data, changes.size);
	while (problem == NULL && members->epoch < epoch)
		problem = reader.offset < reader.size ? follow_one(members, chain_id, &reader) :
			"a change of members is missing";
	return problem;
}

const TlMember *
tl_proof_epoch_find(const TlProofMembers *members, uint32_t number)
{
	const TlMember *member = tl_chain_member_find(members->set.members,
												  members->set.member_count,
												  number);

	for (unsigned i = 0; member == NULL && i < members->left_count; i++)
	{
		if (members->left[i].number == number)
			member = &members->left[i];
	}
	return member;
}

static const char *
follow_one(TlProofMembers *members, const TlHash *chain_id, TlReader *reader)
{
	TlSpan		certificate = tl_get_span(reader, tl_get_u32(reader));
	Founding	founding;
	TlMotion	motion;
	TlHash		hash;
	const char *problem;

	memset(&motion, 0, sizeof(motion));
	if (reader->truncated)
		return "a change of members is cut off";
	problem = read_founding(&founding, members, chain_id, certificate);
	if (problem == NULL)
		problem = find_motion(&motion, members, chain_id, &founding, reader);
	if (problem == NULL)
		problem = change_set(members, &motion);
	if (problem != NULL)
		return problem;
	if (tl_chain_members_hash(&hash, members->set.members,
							  members->set.member_count) != TL_OK ||
		memcmp(&hash, &founding.members_hash, TL_HASH_SIZE) != 0)
		return "a change of members does not lead to the set that was certified";
	members->epoch++;
	members->height = founding.header.height;
	return NULL;
}

/* E1: the block that names the next set, final by those who are members now. */
static const char *
read_founding(Founding *out, const TlProofMembers *members,
			  const TlHash *chain_id, TlSpan bytes)
{
	TlEpochCertificate epoch;
	TlCertificate certificate;
	TlHash		founding_hash;
	TlHash		members_hash;

	if (tl_consensus_epoch_decode(&epoch, bytes.data, bytes.size) != TL_OK ||
		tl_consensus_epoch_read(&epoch, &founding_hash, &out->members_hash,
								&certificate) != TL_OK ||
		tl_chain_block_decode(&out->header, epoch.founding.data,
							  epoch.founding.size) != TL_OK ||
		tl_chain_entries_decode(out->entries, &out->entry_count,
								TL_CONSENSUS_ENTRIES_MAX, epoch.entries.data,
								epoch.entries.size) != TL_OK)
		return "the certificate of a change of members is not one";
	if (memcmp(&out->header.chain_id, chain_id, TL_HASH_SIZE) != 0 ||
		out->header.epoch != members->epoch ||
		out->header.height <= members->height)
		return "a change of members is not the next one of this chain";
	if (tl_chain_members_hash(&members_hash, members->set.members,
							  members->set.member_count) != TL_OK ||
		memcmp(&members_hash, &out->header.members_hash, TL_HASH_SIZE) != 0)
		return "a change of members is not by those who were members";
	if (!tl_proof_step_is_signed(&members->set, chain_id, &certificate))
		return "a change of members is not signed by a quorum of those before";
	return NULL;
}

/* What the block decided; all its approvals are read. */
static const char *
find_motion(TlMotion *out, const TlProofMembers *members, const TlHash *chain_id,
			const Founding *founding, TlReader *reader)
{
	bool		found = false;

	for (unsigned i = 0; i < founding->entry_count; i++)
	{
		TlMotion	motion;
		const char *problem;
		TlSpan		row;

		if (founding->entries[i].kind != TL_LOG_GOVERN)
			continue;
		row = tl_get_span(reader, tl_get_u32(reader));
		if (reader->truncated)
			return "a change of members is cut off";
		problem = read_approval(&motion, members, chain_id,
								&founding->entries[i], row);
		if (problem != NULL)
			return problem;
		if (!leads_to(&motion, members, &founding->members_hash))
			continue;
		if (found && motion.quorum_of_three != out->quorum_of_three)
			return "two motions for one set of members differ in its quorum";
		*out = motion;
		found = true;
	}
	return found ? NULL : "no approval of a change leads to the set that was certified";
}

/* E2: the row is the entry, and signed by its author. */
static const char *
read_approval(TlMotion *out, const TlProofMembers *members,
			  const TlHash *chain_id, const TlBlockEntry *entry, TlSpan bytes)
{
	const TlMember *author;
	TlLogRow	row;
	TlGovern	govern;
	TlHash		digest;

	if (tl_consensus_row_decode(&row, bytes.data, bytes.size) != TL_OK ||
		row.kind != TL_LOG_GOVERN ||
		tl_consensus_govern_decode(&govern, row.payload.data,
								   row.payload.size) != TL_OK ||
		tl_consensus_motion_decode(out, govern.motion.data,
								   govern.motion.size) != TL_OK)
		return "an approval of a change of members is not one";
	tl_consensus_row_digest(&digest, chain_id, &row);
	if (memcmp(&digest, &entry->digest, TL_HASH_SIZE) != 0)
		return "an approval is not the one that the block orders";
	author = tl_chain_member_find(members->set.members,
								  members->set.member_count, row.member);
	if (author == NULL ||
		!tl_consensus_row_verify(&row, chain_id, author->row_key))
		return "an approval is not signed by its author";
	return NULL;
}

/* W1, W2 of src/consensus/README.md, and the hash that was certified. */
static bool
leads_to(const TlMotion *motion, const TlProofMembers *members,
		 const TlHash *members_hash)
{
	TlConsensusConfig config;
	TlHash		hash;

	memset(&config, 0, sizeof(config));
	config.epoch = members->epoch;
	config.number_max = members->number_max;
	for (int i = 0; i < members->set.member_count; i++)
	{
		uint8_t		bytes[TL_MEMBER_LEAF_SIZE_MAX];
		TlWriter	writer;

		tl_writer_init(&writer, bytes, sizeof(bytes));
		if (tl_chain_member_encode(&writer, &members->set.members[i]) != TL_OK ||
			tl_consensus_epoch_member(&config.members[i],
									  (TlSpan) {bytes, writer.size}) != TL_OK)
			return false;
		config.member_count++;
	}
	return motion->kind == TL_MOTION_CHANGE &&
		tl_consensus_epoch_check(&config, motion, &hash) == TL_OK &&
		memcmp(&hash, members_hash, TL_HASH_SIZE) == 0;
}

static const char *
change_set(TlProofMembers *members, const TlMotion *motion)
{
	TlReader	reader;

	tl_reader_init(&reader, motion->removed.data, motion->removed.size);
	for (unsigned i = 0; i < motion->removed_count; i++)
	{
		if (!remove_member(members, tl_get_u32(&reader)))
			return "more members have left than can be told of";
	}
	tl_reader_init(&reader, motion->set.data, motion->set.size);
	for (unsigned i = 0; i < motion->set_count; i++)
	{
		if (!set_member(members, tl_get_span(&reader, tl_get_u16(&reader))))
			return "a member who joins has no place";
	}
	members->set.quorum_of_three = motion->quorum_of_three;
	return NULL;
}

static bool
remove_member(TlProofMembers *members, uint32_t number)
{
	TlGenesis  *set = &members->set;

	for (unsigned i = 0; i < set->member_count; i++)
	{
		if (set->members[i].number != number)
			continue;
		if (members->left_count == TL_PROOF_LEFT_MAX)
			return false;
		members->left[members->left_count++] = set->members[i];
		memmove(&set->members[i], &set->members[i + 1],
				(set->member_count - i - 1) * sizeof(TlMember));
		set->member_count--;
		return true;
	}
	return false;
}

/* In place of his leaf, or as the last: new numbers are higher than all others. */
static bool
set_member(TlProofMembers *members, TlSpan leaf)
{
	TlGenesis  *set = &members->set;
	unsigned	place = 0;
	TlMember	member;

	if (tl_chain_member_decode(&member, leaf.data, leaf.size) != TL_OK)
		return false;
	while (place < set->member_count && set->members[place].number != member.number)
		place++;
	if (place == TL_MEMBER_COUNT_MAX)
		return false;
	set->members[place] = member;
	if (place == set->member_count)
		set->member_count++;
	if (member.number > members->number_max)
		members->number_max = member.number;
	return true;
}

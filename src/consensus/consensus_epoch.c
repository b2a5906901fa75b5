/*-------------------------------------------------------------------------
 *
 * consensus_epoch.c
 *	  From one set of members to the next, and the proof that it was decided.
 *
 * Epoch certificate, integers big-endian:
 *
 *		size	field
 *		1		format, 1
 *		318		header of the founding block R (chain_block.c)
 *		2		number of its entries e
 *		33 * e	its entries; the one of kind 255 is the hash of the next set
 *		2		number of carriers c
 *		318 * c	their headers, from the child of R upwards
 *		4 + n	finalization of the last carrier, or of R if there is none
 *
 * Each certificate is checked with the members that the one before proves, so a
 * chain of them leads from genesis to the newest set.
 *
 * Invariants
 *	  W1  a member's number is never given to another one
 *	  W2  no two members share a row key; at least one is a validator
 *	  W4  a row key that a member has given up is never his again, and he has
 *		  TL_MEMBER_KEYS_MAX of them at most
 *	  W3  the hash of the next set is an entry of R, so that who certifies R
 *		  certifies the set
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by the core, and by whoever keeps or checks epochs.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_epoch.h"

#include "merkle_hash.h"
#include "merkle_range.h"

#include <string.h>

#define EPOCH_FORMAT	1

typedef struct MemberSet
{
	unsigned	count;
	TlConsensusMember members[TL_MEMBER_COUNT_MAX];
} MemberSet;

static TlStatus change(MemberSet *out, const TlConsensusConfig *config,
					   const TlMotion *motion);
static TlStatus set_member(MemberSet *set, const TlConsensusConfig *config,
						   TlSpan leaf);
static TlStatus change_key(TlConsensusMember *member,
						   const TlConsensusMember *before, uint64_t epoch);
static bool is_removed(const TlMotion *motion, uint32_t number);
static const TlConsensusMember *find_member(const TlConsensusConfig *config,
											uint32_t number, unsigned *place);
static uint32_t number_max(const TlConsensusConfig *config);
static TlStatus check_set(const MemberSet *set);
static bool needs_everybody(const TlConsensusConfig *config);
static void hash_set(TlHash *out, const MemberSet *set);
static TlStatus read_carriers(const TlEpochCertificate *epoch,
							  const TlBlockHeader *founding, TlHash *last,
							  uint64_t *view);

TlStatus
tl_consensus_epoch_member(TlConsensusMember *out, TlSpan leaf)
{
	TlMember	member;
	TlStatus	status = tl_chain_member_decode(&member, leaf.data, leaf.size);

	memset(out, 0, sizeof(*out));
	if (status != TL_OK)
		return status;
	out->number = member.number;
	memcpy(out->row_key, member.row_key, TL_XONLY_KEY_SIZE);
	/* Who has no governance key approves with the one that he has. */
	memcpy(out->governance_key,
		   member.has_keys ? member.governance_key : member.row_key,
		   TL_XONLY_KEY_SIZE);
	out->validator = (member.kind == TL_MEMBER_VALIDATOR);
	out->observer = (member.kind == TL_MEMBER_OBSERVER);
	tl_merkle_leaf_hash(&out->leaf, leaf.data, leaf.size);
	return TL_OK;
}

const uint8_t *
tl_consensus_epoch_key(const TlConsensusMember *member, uint64_t epoch)
{
	for (unsigned i = 0; i < member->before_count; i++)
	{
		if (epoch < member->before[i].until)
			return member->before[i].key;
	}
	return member->row_key;
}

TlStatus
tl_consensus_epoch_check(const TlConsensusConfig *config,
						 const TlMotion *motion, TlHash *members_hash)
{
	MemberSet	set;
	TlStatus	status = change(&set, config, motion);

	if (status == TL_OK)
		hash_set(members_hash, &set);
	return status;
}

TlStatus
tl_consensus_epoch_next(TlConsensusConfig *config,
						const TlConsensusBlock *founding,
						const TlStanding *standing, TlSpan bytes)
{
	MemberSet	set;
	TlMotion	motion;
	TlStanding	next;
	TlStatus	status = tl_consensus_motion_decode(&motion, bytes.data,
													bytes.size);

	if (status == TL_OK)
		status = change(&set, config, &motion);
	if (status != TL_OK)
		return status;
	/* Approvals end with their epoch; the rest of a standing stays. */
	memset(&next, 0, sizeof(next));
	for (unsigned i = 0; i < set.count; i++)
	{
		unsigned	place;
		TlMemberStanding *member = &next.members[i];

		if (find_member(config, set.members[i].number, &place) == NULL)
			continue;
		*member = standing->members[place];
		member->approvals = 0;
		memset(member->approved, 0, sizeof(member->approved));
	}
	if (needs_everybody(config))
		config->lenient_until = config->epoch + 1;
	config->number_max = number_max(config);
	for (unsigned i = 0; i < set.count; i++)
	{
		if (set.members[i].number > config->number_max)
			config->number_max = set.members[i].number;
	}
	config->member_count = set.count;
	memcpy(config->members, set.members, sizeof(set.members));
	hash_set(&config->members_hash, &set);
	config->quorum_of_three = motion.quorum_of_three;
	config->drift_us = (int64_t) motion.drift_ms * 1000;
	config->checkpoint_interval = motion.checkpoint_interval;
	config->protocol = motion.protocol;
	config->epoch++;
	config->founding = founding->hash;
	config->founding_view = founding->header.view;
	config->base = *founding;
	config->standing = next;
	config->certificate.data = NULL;
	config->certificate.size = 0;
	return TL_OK;
}

/* Does every certificate of that epoch hold all votes? */
static bool
needs_everybody(const TlConsensusConfig *config)
{
	unsigned	validators = 0;

	for (unsigned i = 0; i < config->member_count; i++)
		validators += config->members[i].validator;
	return tl_consensus_quorum(validators, config->quorum_of_three) == validators;
}

TlStatus
tl_consensus_epoch_encode(TlWriter *writer, const TlEpochCertificate *epoch)
{
	if (epoch->founding.size != TL_BLOCK_HEADER_SIZE ||
		epoch->entries.size != (size_t) epoch->entry_count * TL_BLOCK_ENTRY_SIZE ||
		epoch->carriers.size != (size_t) epoch->carrier_count * TL_BLOCK_HEADER_SIZE)
		return TL_BAD_FORMAT;
	tl_put_u8(writer, EPOCH_FORMAT);
	tl_put_bytes(writer, epoch->founding.data, epoch->founding.size);
	tl_put_u16(writer, epoch->entry_count);
	tl_put_bytes(writer, epoch->entries.data, epoch->entries.size);
	tl_put_u16(writer, epoch->carrier_count);
	tl_put_bytes(writer, epoch->carriers.data, epoch->carriers.size);
	tl_put_u32(writer, (uint32_t) epoch->certificate.size);
	tl_put_bytes(writer, epoch->certificate.data, epoch->certificate.size);
	return tl_writer_finish(writer);
}

TlStatus
tl_consensus_epoch_decode(TlEpochCertificate *out, const void *data, size_t size)
{
	TlReader	reader;

	memset(out, 0, sizeof(*out));
	tl_reader_init(&reader, data, size);
	if (tl_get_u8(&reader) != EPOCH_FORMAT)
		return reader.truncated ? TL_TRUNCATED : TL_BAD_VERSION;
	out->founding = tl_get_span(&reader, TL_BLOCK_HEADER_SIZE);
	out->entry_count = tl_get_u16(&reader);
	out->entries = tl_get_span(&reader,
							   (size_t) out->entry_count * TL_BLOCK_ENTRY_SIZE);
	out->carrier_count = tl_get_u16(&reader);
	out->carriers = tl_get_span(&reader,
								(size_t) out->carrier_count * TL_BLOCK_HEADER_SIZE);
	out->certificate = tl_get_span(&reader, tl_get_u32(&reader));
	return tl_reader_finish(&reader);
}

TlStatus
tl_consensus_epoch_read(const TlEpochCertificate *epoch, TlHash *founding,
						TlHash *members_hash, TlCertificate *certificate)
{
	TlBlockEntry entries[TL_CONSENSUS_ENTRIES_MAX];
	TlBlockHeader header;
	TlHash		hash;
	unsigned	count;
	unsigned	found = 0;
	uint64_t	view = 0;
	TlStatus	status;

	status = tl_chain_block_decode(&header, epoch->founding.data,
								   epoch->founding.size);
	if (status == TL_OK)
		status = tl_chain_entries_decode(entries, &count,
										 TL_CONSENSUS_ENTRIES_MAX,
										 epoch->entries.data,
										 epoch->entries.size);
	if (status == TL_OK)
		status = tl_chain_entries_root(&hash, entries, count);
	if (status != TL_OK)
		return status;
	for (unsigned i = 0; i < count; i++)
	{
		if (entries[i].kind != TL_ENTRY_MEMBERS)
			continue;
		*members_hash = entries[i].digest;
		found++;
	}
	if (memcmp(&hash, &header.entries_root, TL_HASH_SIZE) != 0 || found != 1)
		return TL_BAD_PROOF;
	tl_chain_block_hash(founding, &header);
	status = read_carriers(epoch, &header, &hash, &view);
	if (status == TL_OK)
		status = tl_consensus_certificate_decode(certificate,
												 epoch->certificate.data,
												 epoch->certificate.size);
	if (status != TL_OK)
		return status;
	if (certificate->kind != TL_LOG_FINALIZE ||
		certificate->epoch != header.epoch || certificate->view != view ||
		memcmp(&certificate->block, &hash, TL_HASH_SIZE) != 0)
		return TL_BAD_PROOF;
	return TL_OK;
}

/* The last of them, from the founding block on; each follows the one before. */
static TlStatus
read_carriers(const TlEpochCertificate *epoch, const TlBlockHeader *founding,
			  TlHash *last, uint64_t *view)
{
	TlBlockHeader before = *founding;
	TlReader	reader;

	tl_reader_init(&reader, epoch->carriers.data, epoch->carriers.size);
	for (unsigned i = 0; i < epoch->carrier_count; i++)
	{
		TlSpan		bytes = tl_get_span(&reader, TL_BLOCK_HEADER_SIZE);
		TlBlockHeader header;
		TlStatus	status = tl_chain_block_decode(&header, bytes.data,
												   bytes.size);

		if (status == TL_OK)
			status = tl_chain_block_follows(&before, &header);
		if (status != TL_OK)
			return status;
		if (header.epoch != founding->epoch ||
			memcmp(&header.cut_hash, &founding->cut_hash, TL_HASH_SIZE) != 0)
			return TL_BAD_PROOF;
		before = header;
	}
	tl_chain_block_hash(last, &before);
	*view = before.view;
	return tl_reader_finish(&reader);
}

/* The set after a change: those who stay, with the leaves that are set. */
static TlStatus
change(MemberSet *out, const TlConsensusConfig *config, const TlMotion *motion)
{
	TlReader	reader;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	if (motion->kind != TL_MOTION_CHANGE || motion->epoch != config->epoch)
		return TL_BAD_FORMAT;
	tl_reader_init(&reader, motion->removed.data, motion->removed.size);
	for (unsigned i = 0; i < motion->removed_count; i++)
	{
		unsigned	place;

		if (find_member(config, tl_get_u32(&reader), &place) == NULL)
			return TL_BAD_FORMAT;
	}
	for (unsigned i = 0; i < config->member_count; i++)
	{
		if (!is_removed(motion, config->members[i].number))
			out->members[out->count++] = config->members[i];
	}
	tl_reader_init(&reader, motion->set.data, motion->set.size);
	for (unsigned i = 0; i < motion->set_count; i++)
	{
		status = set_member(out, config, tl_get_span(&reader, tl_get_u16(&reader)));
		if (status != TL_OK)
			return status;
	}
	return check_set(out);
}

/* W1: a new number is higher than all that were ever given. */
static TlStatus
set_member(MemberSet *set, const TlConsensusConfig *config, TlSpan leaf)
{
	TlConsensusMember member;
	const TlConsensusMember *before;
	unsigned	place;
	TlStatus	status = tl_consensus_epoch_member(&member, leaf);

	if (status != TL_OK)
		return status;
	before = find_member(config, member.number, &place);
	if (before == NULL)
	{
		if (member.number <= number_max(config))
			return TL_BAD_ORDER;
		if (set->count == TL_MEMBER_COUNT_MAX)
			return TL_TOO_LARGE;
		set->members[set->count++] = member;
		return TL_OK;
	}
	status = change_key(&member, before, config->epoch + 1);
	if (status != TL_OK)
		return status;
	for (unsigned i = 0; i < set->count; i++)
	{
		if (set->members[i].number != member.number)
			continue;
		set->members[i] = member;
		return TL_OK;
	}
	return TL_BAD_ORDER;		/* set and removed */
}

/* W4.  Rows of earlier epochs stay checkable after a change of the key. */
static TlStatus
change_key(TlConsensusMember *member, const TlConsensusMember *before,
		   uint64_t epoch)
{
	TlKeyBefore *last;

	member->before_count = before->before_count;
	memcpy(member->before, before->before, sizeof(member->before));
	if (memcmp(member->row_key, before->row_key, TL_XONLY_KEY_SIZE) == 0)
		return TL_OK;
	for (unsigned i = 0; i < before->before_count; i++)
	{
		if (memcmp(member->row_key, before->before[i].key,
				   TL_XONLY_KEY_SIZE) == 0)
			return TL_BAD_KEY;
	}
	if (before->before_count == TL_MEMBER_KEYS_MAX - 1)
		return TL_TOO_LARGE;
	last = &member->before[member->before_count++];
	memcpy(last->key, before->row_key, TL_XONLY_KEY_SIZE);
	last->until = epoch;
	return TL_OK;
}

static bool
is_removed(const TlMotion *motion, uint32_t number)
{
	TlReader	reader;

	tl_reader_init(&reader, motion->removed.data, motion->removed.size);
	for (unsigned i = 0; i < motion->removed_count; i++)
	{
		if (tl_get_u32(&reader) == number)
			return true;
	}
	return false;
}

static const TlConsensusMember *
find_member(const TlConsensusConfig *config, uint32_t number, unsigned *place)
{
	for (unsigned i = 0; i < config->member_count; i++)
	{
		*place = i;
		if (config->members[i].number == number)
			return &config->members[i];
	}
	return NULL;
}

/* The highest number that was ever given. */
static uint32_t
number_max(const TlConsensusConfig *config)
{
	uint32_t	last = config->members[config->member_count - 1].number;

	return (config->number_max > last) ? config->number_max : last;
}

static TlStatus
check_set(const MemberSet *set)
{
	unsigned	validators = 0;

	for (unsigned i = 0; i < set->count; i++)
	{
		validators += set->members[i].validator;
		for (unsigned j = 0; j < i; j++)
		{
			if (memcmp(set->members[i].row_key, set->members[j].row_key,
					   TL_XONLY_KEY_SIZE) == 0)
				return TL_BAD_KEY;
		}
	}
	return (validators > 0) ? TL_OK : TL_BAD_FORMAT;
}

/* The root that chain_member.c computes over the leaves. */
static void
hash_set(TlHash *out, const MemberSet *set)
{
	TlMerkleRange range;

	tl_merkle_range_init(&range);
	for (unsigned i = 0; i < set->count; i++)
		(void) tl_merkle_range_append(&range, &set->members[i].leaf);
	tl_merkle_range_root(&range, out);
}

/*-------------------------------------------------------------------------
 *
 * dialogue_entry.c
 *	  Rows that blocks order: accusations and approvals; motions.
 *
 *-------------------------------------------------------------------------
 */
#include "dialogue.h"

#include "consensus_epoch.h"
#include "consensus_evidence.h"

#include <stdlib.h>
#include <string.h>

static TlSpan accuse_of(Dialogue *dialogue, const Line *line, const char *of);
static void sign_as(Dialogue *dialogue, uint32_t member, TlEvidenceRow *out,
					uint8_t salt, uint64_t epoch);
static TlSpan encode_evidence(const TlEvidence *evidence);

/*
 * MEMBER accuses MEMBER [falsely|across]: of two rows at one place of his log, of
 * which he has signed none if falsely, and one in the epoch before if across.  MEMBER accuses MEMBER of ROW [with BLOCK]: of
 * a row that its bytes convict, or with its parent's.
 */
TlSpan
dialogue_accuse(Dialogue *dialogue, const Line *line)
{
	uint32_t	accused = line_member(dialogue, line->words[2]);
	const char *of = line_after(line, "of");
	TlEvidenceRow rows[2];
	TlEvidence	evidence;

	if (accused == 0)
		fail("who is %s?", line->words[2]);
	if (of != NULL)
		return accuse_of(dialogue, line, of);
	dialogue->accusations++;
	for (uint8_t i = 0; i < 2; i++)
	{
		sign_as(dialogue, accused, &rows[i], i + 1,
				dialogue->config.epoch - (i == 0 && line_has(line, "across")));
		rows[i].row.signature[0] ^= line_has(line, "falsely");
	}
	if (tl_consensus_evidence_make(&evidence, &dialogue->config.chain_id,
								   &rows[0], &rows[1]) == TL_EVIDENCE_NONE)
		fail("no contradiction");
	return encode_evidence(&evidence);
}

static TlSpan
accuse_of(Dialogue *dialogue, const Line *line, const char *of)
{
	const char *with = line_after(line, "with");
	NamedRow   *named = dialogue_find_row(dialogue, of);
	uint8_t		bytes[16384];
	uint8_t		header[TL_BLOCK_HEADER_SIZE];
	uint8_t		cut[TL_MEMBER_COUNT_MAX * TL_BLOCK_LANE_SIZE];
	TlEvidence	evidence = {.kind = TL_EVIDENCE_ILLEGAL};
	TlWriter	writer;

	if (named == NULL)
		fail("no row %s", of);
	if (with != NULL)
	{
		const TlConsensusBlock *parent = &dialogue_block(dialogue, with)->block;

		tl_writer_init(&writer, header, sizeof(header));
		(void) tl_chain_block_encode(&writer, &parent->header);
		evidence.parent_header = (TlSpan) {header, writer.size};
		tl_writer_init(&writer, cut, sizeof(cut));
		(void) tl_chain_cut_encode(&writer, parent->cut, parent->lane_count);
		evidence.parent_cut = (TlSpan) {cut, writer.size};
	}
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_row_encode(&writer, &named->row) != TL_OK)
		fail("no row");
	evidence.row = (TlSpan) {bytes, writer.size};
	return encode_evidence(&evidence);
}

/* A row of his at a place that this dialogue does not reach. */
static void
sign_as(Dialogue *dialogue, uint32_t member, TlEvidenceRow *out, uint8_t salt,
		uint64_t epoch)
{
	TlLogRow	row = {.member = member, .kind = TL_LOG_NULLIFY, .view = 1,
	.epoch = epoch};
	TlHash		digest;

	row.sequence = 900 + dialogue->accusations;
	row.previous.bytes[0] = salt;
	tl_consensus_row_digest(&digest, &dialogue->config.chain_id, &row);
	dialogue_stamp(&digest,
				   tl_consensus_epoch_key(dialogue_member(dialogue, member), epoch),
				   row.signature);
	tl_consensus_evidence_row(out, &row);
}

static TlSpan
encode_evidence(const TlEvidence *evidence)
{
	uint8_t		bytes[20000];
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_evidence_encode(&writer, evidence) != TL_OK)
		fail("no evidence");
	return dialogue_keep(bytes, writer.size);
}

/*
 * approves MOTION [number N] [with row-key]: the next of his approvals, unless
 * another number is said.
 */
TlSpan
dialogue_approve(Dialogue *dialogue, uint32_t member, const char *motion,
				 const Line *line)
{
	Author	   *author = &dialogue->authors[member - 1];
	const NamedMotion *named = dialogue_find_motion(dialogue, motion);
	const char *number = line_after(line, "number");
	const TlConsensusMember *key = dialogue_member(dialogue, member);
	TlGovern	govern = {.number = ++author->approvals, .motion = named->bytes};
	uint8_t		bytes[4096];
	TlHash		digest;
	TlWriter	writer;

	if (number != NULL)
		govern.number = author->approvals = (uint32_t) atoi(number);
	tl_consensus_approval_digest(&digest, &dialogue->config.chain_id, member,
								 dialogue->config.epoch, govern.number,
								 &named->digest);
	dialogue_stamp(&digest, line_has(line, "row-key") ? key->row_key :
				   key->governance_key, govern.approval);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_govern_encode(&writer, &govern) != TL_OK)
		fail("no approval");
	return dialogue_keep(bytes, writer.size);
}

/* motion NAME removes MEMBER, adds LETTER, rekeys MEMBER [version N], deploys */
void
dialogue_motion(Dialogue *dialogue, const Line *line)
{
	NamedMotion *named = &dialogue->motions[dialogue->motion_count++];
	TlMotion	motion = {.epoch = dialogue->config.epoch, .quorum_of_three = 3,
	.drift_ms = 2000, .protocol = 1};
	uint32_t	number = (line->count > 3) ? (uint32_t) (line->words[3][0] - 'A' + 1) : 0;
	uint8_t		key[TL_XONLY_KEY_SIZE] = {(uint8_t) (number + 100)};
	uint8_t		list[512];
	uint8_t		bytes[2048];
	TlWriter	writer;

	if (dialogue->motion_count == THINGS_MAX)
		fail("too many motions");
	strncpy(named->name, line->words[1], NAME_SIZE - 1);
	motion.kind = TL_MOTION_CHANGE;
	if (line->count > 5 && strcmp(line->words[4], "version") == 0)
		motion.protocol = (uint16_t) atoi(line->words[5]);
	tl_writer_init(&writer, list, sizeof(list));
	if (strcmp(line->words[2], "removes") == 0)
	{
		tl_put_u32(&writer, number);
		motion.removed_count = 1;
		motion.removed = (TlSpan) {list, writer.size};
	}
	else if (strcmp(line->words[2], "adds") == 0 ||
			 strcmp(line->words[2], "rekeys") == 0)
	{
		TlSpan		leaf = dialogue_leaf(number, TL_MEMBER_VALIDATOR, key);

		tl_put_u16(&writer, (uint16_t) leaf.size);
		tl_put_bytes(&writer, leaf.data, leaf.size);
		motion.set_count = 1;
		motion.set = (TlSpan) {list, writer.size};
	}
	else
	{
		motion = (TlMotion) {.kind = TL_MOTION_DEPLOY, .epoch = motion.epoch};
		memcpy(motion.subject.bytes, named->name, NAME_SIZE);
	}
	tl_writer_init(&writer, bytes, sizeof(bytes));
	if (tl_consensus_motion_encode(&writer, &motion) != TL_OK)
		fail("no motion %s", named->name);
	named->bytes = dialogue_keep(bytes, writer.size);
	tl_consensus_motion_digest(&named->digest, named->bytes);
	if (motion.kind == TL_MOTION_CHANGE &&
		tl_consensus_epoch_check(&dialogue->config, &motion,
								 &named->next_members) != TL_OK)
		fail("%s cannot be decided", named->name);
}

NamedMotion *
dialogue_find_motion(Dialogue *dialogue, const char *name)
{
	for (unsigned i = 0; i < dialogue->motion_count; i++)
	{
		if (strcmp(dialogue->motions[i].name, name) == 0)
			return &dialogue->motions[i];
	}
	fail("no motion %s", name);
}

/* NULL if there is none of that name. */
NamedRow *
dialogue_find_row(Dialogue *dialogue, const char *name)
{
	for (unsigned i = 0; i < dialogue->row_count; i++)
	{
		if (strcmp(dialogue->rows[i].name, name) == 0)
			return &dialogue->rows[i];
	}
	return NULL;
}

/*-------------------------------------------------------------------------
 *
 * proof_source_epoch.c
 *	  Read from the stored chain how the members have changed.
 *
 * As with the rest (proof_source.c) nothing is believed that is read here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"

#include "chain_pending.h"
#include "chain_statement.h"
#include "consensus_epoch.h"
#include "proof_source.h"
#include "tl_compat.h"

static TlStatement select_epochs = {
	"SELECT certificate FROM ledger_internal.epoch WHERE epoch <= $1 ORDER BY epoch",
	1, {INT8OID}
};

static bool put_approvals(StringInfo out, TlSpan certificate);
static void put_sized(StringInfo out, TlSpan bytes);

/*
 * Each change of the members up to that epoch, as proof_epoch.h has it; empty if
 * there was none.
 */
TlSpan
tl_proof_source_epochs(uint64_t epoch)
{
	Datum		value = Int64GetDatum((int64) epoch);
	StringInfoData out;
	TlSpan	   *certificates;
	TlSpan		span;
	uint64		count;

	if (epoch == 0)
		return (TlSpan) {NULL, 0};
	count = tl_proof_source_execute(&select_epochs, &value);
	if (count != epoch)
		tl_proof_source_damaged("the certificate of a change of members is missing");
	certificates = palloc(count * sizeof(TlSpan));
	for (uint64 i = 0; i < count; i++)
		certificates[i] = tl_proof_source_bytes(i, 0);
	initStringInfo(&out);
	for (uint64 i = 0; i < count; i++)
	{
		if (!tl_proof_source_change(&out, certificates[i]))
			tl_proof_source_damaged("an approval of a change of members is not stored");
	}
	span.data = (const uint8_t *) out.data;
	span.size = (size_t) out.len;
	return span;
}

/* One change of the members; false if an approval that it needs is in no log. */
bool
tl_proof_source_change(StringInfo out, TlSpan certificate)
{
	put_sized(out, certificate);
	return put_approvals(out, certificate);
}

/* Who is a member, and who was one, at the head of the document. */
void
tl_proof_source_members(TlProofMembers *out, const TlBundle *bundle)
{
	TlGenesis	genesis;
	TlBlockHeader header;
	TlHash		chain_id;
	const char *problem;

	tl_proof_source_check(tl_chain_genesis_decode(&genesis, bundle->genesis_body.data,
												  bundle->genesis_body.size),
						  "genesis block");
	tl_proof_source_check(tl_chain_block_decode(&header, bundle->genesis_header.data,
												bundle->genesis_header.size),
						  "genesis block");
	tl_chain_block_hash(&chain_id, &header);
	tl_proof_epoch_begin(out, &genesis);
	problem = tl_proof_epoch_follow(out, &chain_id, bundle->epochs);
	if (problem != NULL)
		tl_proof_source_damaged(problem);
}

/* All approvals that the block orders which ends the epoch. */
static bool
put_approvals(StringInfo out, TlSpan certificate)
{
	TlBlockEntry entries[TL_CONSENSUS_ENTRIES_MAX];
	TlEpochCertificate epoch;
	unsigned	count;

	tl_proof_source_check(tl_consensus_epoch_decode(&epoch, certificate.data,
													certificate.size),
						  "certificate of a change of members");
	tl_proof_source_check(tl_chain_entries_decode(entries, &count,
												  TL_CONSENSUS_ENTRIES_MAX,
												  epoch.entries.data,
												  epoch.entries.size),
						  "certificate of a change of members");
	for (unsigned i = 0; i < count; i++)
	{
		TlSpan		message;

		if (entries[i].kind != TL_LOG_GOVERN)
			continue;
		if (!tl_chain_pending_row(&message, &entries[i].digest, true))
			return false;
		put_sized(out, message);
	}
	return true;
}

static void
put_sized(StringInfo out, TlSpan bytes)
{
	uint8_t		size[4];
	TlWriter	writer;

	tl_writer_init(&writer, size, sizeof(size));
	tl_put_u32(&writer, (uint32_t) bytes.size);
	appendBinaryStringInfo(out, (const char *) size, sizeof(size));
	appendBinaryStringInfo(out, (const char *) bytes.data, (int) bytes.size);
}

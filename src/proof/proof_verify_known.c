/*-------------------------------------------------------------------------
 *
 * proof_verify_known.c
 *	  `against`: what somebody else keeps of this ledger.
 *
 * A tree head (the text of ledger.tree_head(), as a JSON string or under the
 * key tree_head) tells the root over the blocks below its size.  A receipt
 * tells the hash of the block at its head; its certificate must be valid, so
 * that nobody raises an alarm with a receipt of his own making.
 *
 * Used by ledger.verify().
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "chain_statement.h"
#include "consensus_certificate.h"
#include "proof_checkpoint.h"
#include "proof_verify.h"
#include "tl_compat.h"

static TlStatement select_parts = {
	"SELECT CASE jsonb_typeof($1) WHEN 'string' THEN $1 #>> '{}' ELSE $1 ->> 'tree_head' END,"
	" $1 #>> '{proof,head,header}', $1 #>> '{proof,head,certificate}'",
	1, {JSONBOID}
};
static TlStatement select_hex = {
	"SELECT decode($1, 'hex')",
	1, {TEXTOID}
};

static void known_checkpoint(TlVerification *run, const text *value);
static void known_receipt(TlVerification *run, Datum header_hex,
						  Datum certificate_hex);
static TlSpan from_hex(Datum hex);
static bool is_certified(TlVerification *run, const TlBlockHeader *header,
						 const TlHash *hash, TlSpan bytes);
tl_noreturn static void refuse(const char *detail);

/* Read it; an error if it says nothing about this ledger. */
void
tl_proof_verify_known(TlVerification *run, Jsonb *against)
{
	Datum		value = JsonbPGetDatum(against);
	bool		nulls[3];
	Datum		parts[3];

	tl_chain_execute(&select_parts, &value, NULL, true);
	for (int i = 0; i < 3; i++)
		parts[i] = tl_chain_result(0, i, &nulls[i]);
	if (!nulls[0])
		known_checkpoint(run, DatumGetTextPP(parts[0]));
	else if (!nulls[1] && !nulls[2])
		known_receipt(run, parts[1], parts[2]);
	else
		refuse("It is neither a tree head nor a receipt.");
	run->known.given = true;
}

static void
known_checkpoint(TlVerification *run, const text *value)
{
	TlCheckpoint checkpoint;
	TlStatus	status = tl_proof_checkpoint_decode(&checkpoint, VARDATA_ANY(value),
													VARSIZE_ANY_EXHDR(value));

	if (status != TL_OK)
		refuse(psprintf("The tree head cannot be read: %s.", tl_status_text(status)));
	if (memcmp(&checkpoint.chain_id, &run->chain_id, TL_HASH_SIZE) != 0)
		refuse("The tree head is of another ledger.");
	run->known.height = checkpoint.size;
	run->known.hash = checkpoint.root;
}

static void
known_receipt(TlVerification *run, Datum header_hex, Datum certificate_hex)
{
	TlSpan		bytes = from_hex(header_hex);
	TlBlockHeader header;
	TlHash		chain_id;
	TlStatus	status = tl_chain_block_decode(&header, bytes.data, bytes.size);

	if (status != TL_OK)
		refuse(psprintf("The head of the receipt cannot be read: %s.",
						tl_status_text(status)));
	tl_chain_block_chain_id(&chain_id, &header);
	if (memcmp(&chain_id, &run->chain_id, TL_HASH_SIZE) != 0)
		refuse("The receipt is of another ledger.");
	tl_chain_block_hash(&run->known.hash, &header);
	if (!is_certified(run, &header, &run->known.hash, from_hex(certificate_hex)))
		refuse("The receipt is not valid: its head was not signed by this ledger.");
	run->known.is_block = true;
	run->known.height = header.height;
}

static TlSpan
from_hex(Datum hex)
{
	TlSpan		span;
	bytea	   *bytes;

	tl_chain_execute(&select_hex, &hex, NULL, true);
	bytes = DatumGetByteaPCopy(tl_chain_result(0, 0, NULL));
	span.data = (const uint8_t *) VARDATA_ANY(bytes);
	span.size = VARSIZE_ANY_EXHDR(bytes);
	return span;
}

/* Did a quorum of the members of its epoch sign that block? */
static bool
is_certified(TlVerification *run, const TlBlockHeader *header,
			 const TlHash *hash, TlSpan bytes)
{
	TlCertificate certificate;
	TlVote		vote;

	if (tl_consensus_certificate_decode(&certificate, bytes.data, bytes.size) != TL_OK ||
		certificate.vote_count == 0)
		return false;
	/* the own incarnation that signed, or, if this member did not, anybody's */
	for (unsigned i = certificate.vote_count; i-- > 0;)
	{
		if (tl_consensus_certificate_get_vote(&vote, &certificate, i) != TL_OK)
			return false;
		if (i == 0 || vote.member == run->member)
		{
			memcpy(run->known.nonce, vote.nonce, TL_NONCE_SIZE);
			break;
		}
	}
	return
		certificate.kind == TL_LOG_FINALIZE &&
		certificate.epoch == header->epoch &&
		certificate.view == header->view &&
		memcmp(&certificate.block, hash, TL_HASH_SIZE) == 0 &&
		tl_proof_verify_is_signed(run, &certificate);
}

static void
refuse(const char *detail)
{
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("cannot verify the ledger against this document"),
			errdetail_internal("%s", detail),
			errhint("Give the text of ledger.tree_head(), or a receipt."));
}

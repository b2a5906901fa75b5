/*-------------------------------------------------------------------------
 *
 * consensus_message.h
 *	  Rows of a member's log: bytes, digests, signature, payloads.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONSENSUS_MESSAGE_H
#define CONSENSUS_MESSAGE_H

#include "chain_block.h"
#include "crypto_curve.h"
#include "tl_limits.h"
#include "tl_status.h"
#include "tl_types.h"
#include "tl_wire.h"

#define TL_NONCE_SIZE			16
#define TL_LOG_ROW_SIZE_FIXED	146 /* without payload */
#define TL_LOG_ROW_KIND_OFFSET	61

/* Kinds of rows.  The numbers are part of the format (README.md). */
typedef enum TlLogKind
{
	TL_LOG_BATCH = 1,
	TL_LOG_ACK = 2,
	TL_LOG_PROPOSE = 3,
	TL_LOG_NOTARIZE = 4,
	TL_LOG_FINALIZE = 5,
	TL_LOG_NULLIFY = 6,
	TL_LOG_CERT = 7,
	TL_LOG_STATE = 8,
	TL_LOG_GOVERN = 9,
	TL_LOG_EVIDENCE = 10,
	TL_LOG_REJOIN = 11,
	TL_LOG_RESTART = 12,
	TL_LOG_REPLY = 13,			/* outside the log: sequence 0 */
	TL_LOG_REQUEST = 14			/* outside the log: sequence 0 */
} TlLogKind;

typedef struct TlLogRow
{
	uint32_t	member;
	uint8_t		nonce[TL_NONCE_SIZE];	/* of the REJOIN that opened the
										 * incarnation, zeros at first */
	uint64_t	sequence;		/* from 1, dense in one incarnation; 0 outside
								 * the log */
	TlHash		previous;		/* row digest before, zeros at sequence 0, 1 */
	uint8_t		kind;			/* a TlLogKind */
	uint64_t	epoch;
	uint64_t	view;
	TlSpan		payload;
	uint8_t		signature[TL_SIGNATURE_SIZE];
} TlLogRow;

/* What a member has after a block: payload of STATE. */
typedef struct TlState
{
	uint64_t	height;			/* from 1 */
	TlHash		block;
	TlHash		state_root;
	TlHash		outcome_root;	/* over outcomes, events and rejections since
								 * the checkpoint that the block's header names */
} TlState;

/* What a leader proposes.  The spans hold encoded things (README.md). */
typedef struct TlProposal
{
	TlSpan		header;			/* block header */
	TlSpan		parent_certificate; /* notarization or finalization of the
									 * parent, or empty */
	uint16_t	gap_count;
	TlSpan		gaps;			/* per skipped view: size u32, nullification */
	TlSpan		checkpoint;		/* certificate of kind STATE, or empty */
	TlSpan		cut;			/* lanes */
	uint32_t	entry_count;
	TlSpan		entries;		/* a list (chain_block.h) */
} TlProposal;

extern TlStatus tl_consensus_row_encode(TlWriter *writer, const TlLogRow *row);
extern TlStatus tl_consensus_row_decode(TlLogRow *out,
										const void *data, size_t size);

/* SHA256("telco_ledger/1/" || kind || payload) */
extern void tl_consensus_payload_digest(TlHash *out, uint8_t kind,
										TlSpan payload);

/* What is signed and what the next row names; without the signature. */
extern void tl_consensus_row_digest(TlHash *out, const TlHash *chain_id,
									const TlLogRow *row);

/* The same of a row whose payload is known by its digest only. */
extern void tl_consensus_row_digest_of(TlHash *out, const TlHash *chain_id,
									   const TlLogRow *row,
									   const TlHash *payload_digest);

/* Sets row->signature.  aux: 32 random bytes, or NULL. */
extern TlStatus tl_consensus_row_sign(TlLogRow *row, const TlHash *chain_id,
									  const uint8_t secret[TL_SECRET_SIZE],
									  const uint8_t *aux);

/* By who signs often. */
extern TlStatus tl_consensus_row_sign_by(TlLogRow *row, const TlHash *chain_id,
										 TlSigner *signer, const uint8_t *aux);
extern bool tl_consensus_row_verify(const TlLogRow *row,
									const TlHash *chain_id,
									const uint8_t row_key[TL_XONLY_KEY_SIZE]);

/* Payload of NOTARIZE and FINALIZE: the block's hash. */
extern void tl_consensus_vote_encode(TlWriter *writer, const TlHash *block);
extern TlStatus tl_consensus_vote_decode(TlHash *out,
										 const void *data, size_t size);

/* Payload of PROPOSE. */
extern TlStatus tl_consensus_proposal_encode(TlWriter *writer,
											 const TlProposal *proposal);
extern TlStatus tl_consensus_proposal_decode(TlProposal *out,
											 const void *data, size_t size);

#endif							/* CONSENSUS_MESSAGE_H */

/*-------------------------------------------------------------------------
 *
 * proof_verify.h
 *	  One verification run: what it looks at, and what it has found.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_VERIFY_H
#define PROOF_VERIFY_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/snapshot.h"
#include "utils/tuplestore.h"

#include "chain_begin.h"
#include "chain_store.h"
#include "consensus_message.h"
#include "consensus_types.h"
#include "table_encode.h"
#include "table_issue.h"
#include "tl_attempt.h"

/* One row of the result. */
typedef struct TlProblem
{
	const char *kind;
	Oid			relation;		/* or InvalidOid */
	const TlRef *ref;			/* or NULL */
	bool		has_height;
	int64_t		height;
	const char *expected;		/* or NULL */
	const char *found;			/* or NULL */
	const char *detail;			/* a sentence */
} TlProblem;

/* What somebody else keeps of this chain. */
typedef struct TlKnown
{
	bool		given;
	bool		is_block;		/* a block's hash; else the root of all below */
	uint64_t	height;
	TlHash		hash;
	uint8_t		nonce[TL_NONCE_SIZE];	/* of the incarnation that signed the
										 * block */
} TlKnown;

/* A batch of which something is known to be wrong. */
typedef struct TlDoubtful
{
	int64_t		batch;
	TlRefBytes	first_ref;
	TlRefBytes	last_ref;
} TlDoubtful;

/* The members of an epoch, and what founded it. */
typedef struct TlEpoch
{
	uint64_t	epoch;
	int64_t		height;			/* of the founding block */
	TlHash		founding;		/* its hash; zeros in epoch 0 */
	uint64_t	founding_view;	/* in the epoch before */
	TlHash		certified;		/* what made it final: it, or a carrier above */
	TlHash		members_hash;
	uint8_t		quorum_of_three;
	unsigned	member_count;
	TlConsensusMember members[TL_MEMBER_COUNT_MAX];
} TlEpoch;

typedef struct TlVerification
{
	/* the task */
	const char *mode;			/* as it is recorded */
	bool		full;
	bool		logged;			/* problems go to the server's log */
	bool		stops;			/* the walk along the chain, at stop_height */
	int64_t		stop_height;
	int			step_units;		/* units of rows in a step, where there are steps */
	bool		windowed;		/* others walk along other parts of it */
	Oid			relation;		/* or InvalidOid for all */
	TlKnown		known;
	int64_t		from_height;	/* verified before up to here, -1 if not */
	int64_t		from_batch;
	int64_t		tip_height;
	int64_t		applied_height; /* up to here others' rows are in the tables */
	Snapshot	snapshot;		/* of everything that is read */

	/* the ledger */
	TlIdentity	identity;
	TlHash		chain_id;
	TlGenesis	genesis;
	uint32_t	member;			/* who this node is */
	bool		quorum;			/* consensus makes the blocks */
	int			epoch_count;
	TlEpoch    *epochs;			/* from 0 */
	bool		progress_known; /* the stored snapshots are sound */
	TlProgress	progress;
	TlLagging  *lagging;
	int			lagging_count;

	/* what came out */
	Tuplestorestate *result;
	TupleDesc	description;
	TlDoubtful *doubtful;
	int			doubtful_count;
	int			doubtful_capacity;
	List	   *unreadable;		/* tables whose rows cannot be read */
	int64_t		rows;
	int64_t		rejected;		/* rows that are rightly in no batch */
	int64_t		sections;
	int64_t		blocks;
	int64_t		problems;
	int			workers;		/* that helped, at most at one time */
	int			parts;			/* processes, one after the other */
} TlVerification;

extern void tl_proof_verify_report(TlVerification *run, const TlProblem *problem);
extern char *tl_proof_verify_try(TlWork work, void *argument);
extern char *tl_proof_verify_hex(const void *data, size_t size);
extern void tl_proof_verify_doubt(TlVerification *run, int64_t batch,
								  const TlRefBytes *first, const TlRefBytes *last);
extern bool tl_proof_verify_doubts_batch(const TlVerification *run, int64_t batch);
extern bool tl_proof_verify_doubts_ref(const TlVerification *run, const TlRefBytes *ref);

extern void tl_proof_verify_known(TlVerification *run, Jsonb *against);
extern void tl_proof_verify_blocks(TlVerification *run);
extern void tl_proof_verify_chain(TlVerification *run);
extern void tl_proof_verify_snapshots(TlVerification *run);
extern bool tl_proof_verify_load_snapshot(TlSnapshot *out, int64_t number);
extern bool tl_proof_verify_parse_snapshot(TlSnapshot *out, TlSpan text);
extern void tl_proof_verify_load_progress(TlVerification *run);
extern void tl_proof_verify_load_ledger(TlVerification *run);
extern void tl_proof_verify_load_members(TlVerification *run,
										 const TlBlockHeader *genesis);
extern const TlEpoch *tl_proof_verify_epoch(const TlVerification *run,
											uint64_t epoch);
extern bool tl_proof_verify_is_signed(const TlVerification *run,
									  const TlCertificate *certificate);
extern const uint8_t *tl_proof_verify_row_key(const TlVerification *run,
											  uint32_t member, uint64_t epoch);
extern List *tl_proof_verify_tables(Oid relation);
extern int64_t tl_proof_verify_record(const TlVerification *run,
									  TimestampTz started_at);
extern void tl_proof_verify_definitions(TlVerification *run, List *tables);
extern void tl_proof_verify_lost_tables(TlVerification *run);
extern void tl_proof_verify_foreign_batches(TlVerification *run);
extern void tl_proof_verify_table(TlVerification *run, Oid relation);
extern void tl_proof_verify_rows(TlVerification *run, Oid relation);

#endif							/* PROOF_VERIFY_H */

/*-------------------------------------------------------------------------
 *
 * consensus_core.h
 *	  The core of consensus: one function of state and input.
 *
 * Use: take tl_consensus_size bytes from somewhere, tl_consensus_init, give it
 * every stored row of the epoch above the base (own log and peers' logs, each
 * log in order) as TL_INPUT_ROW and what is held as TL_INPUT_HELD, then
 * TL_INPUT_START.  Until then it asks for nothing.  Of the rows of long logs it
 * need not be given all (README.md, "A start").
 *
 * What the caller owes (README.md, "What the caller does"): the actions of a
 * step become durable in one transaction; a row leaves, and is given back as
 * TL_INPUT_ROW, only after that; if the transaction fails the core is thrown
 * away and made anew from what is stored.
 *
 * Pure code: no PostgreSQL, no allocation, no clock, no randomness.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONSENSUS_CORE_H
#define CONSENSUS_CORE_H

#include "consensus_types.h"

typedef struct TlConsensus TlConsensus;

/* How many bytes such a core needs, or 0 if the configuration is not one. */
extern size_t tl_consensus_size(const TlConsensusConfig *config);

/* NULL if the memory is too small or the configuration is not one. */
extern TlConsensus *tl_consensus_init(void *memory, size_t size,
									  const TlConsensusConfig *config);

/*
 * One input.  TL_OK, or what is wrong with the input, which then has changed
 * nothing.  The actions are to be carried out whatever is returned, as time has
 * passed.
 *	  TL_BAD_ORDER	a MAKE_BATCH or MAKE_APPROVAL that is not the next of the own ones,
 *					or for which there is no room yet; a STATE or DUE of a block that
 *					is not final; a SUMMARY of another row than the last one; a row of
 *					an incarnation that is over, or of an epoch before that of the row
 *					before it (R49): it is not stored
 *	  TL_NOT_FINAL	a row of an epoch that is still to come, a REJOIN that rests on
 *					another one, an own vote beyond the memory: offer it again later
 *	  TL_BAD_FORMAT	a row of nobody; a REJOIN by who has nobody to ask
 *	  TL_BAD_VERSION	an approval of a version that this program does not know (R26);
 *					anything to be made, in an epoch of such a version (R27)
 */
extern TlStatus tl_consensus_step(TlConsensus *core, TlActions *actions,
								  const TlInput *input);

/* A signature check: BIP-340 of digest by key, or a stand-in in simulations. */
typedef bool (*TlSignatureCheck) (void *context,
								  const uint8_t signature[TL_SIGNATURE_SIZE],
								  const TlHash *digest,
								  const uint8_t row_key[TL_XONLY_KEY_SIZE]);

/* The real one. */
extern bool tl_consensus_check_signature(void *context,
										 const uint8_t signature[TL_SIGNATURE_SIZE],
										 const TlHash *digest,
										 const uint8_t row_key[TL_XONLY_KEY_SIZE]);

/*
 * The verdict on a row before it becomes an input.  TL_OK or TL_BAD_SIGNATURE
 * for the row itself, TL_NOT_FINAL for one of an epoch that is still to come; *certificates_valid tells of those inside.  Votes that
 * the core has counted already are not checked again.
 */
extern TlStatus tl_consensus_judge(const TlConsensus *core,
								   const TlLogRow *row,
								   TlSignatureCheck check, void *context,
								   bool *certificates_valid);

/* The same for the finalization that a member keeps (TL_INPUT_TIP). */
extern bool tl_consensus_judge_tip(const TlConsensus *core, TlSpan certificate,
								   TlSignatureCheck check, void *context);

/*
 * The same for final blocks that a member shows (TL_INPUT_OFFER).  TL_OK, or what is
 * wrong: TL_BAD_ORDER if they are not those beyond this core's base, TL_NOT_FINAL
 * if nothing in them says so of one that can be remembered, TL_BAD_CERTIFICATE if
 * that does not hold.
 */
extern TlStatus tl_consensus_judge_offer(const TlConsensus *core, TlSpan offer,
										 TlSignatureCheck check, void *context);

/*
 * In a rejoin: may the own log go on with this REJOIN of its own, although the
 * row that it follows is not here?  Ask when the others have shown no more, and
 * what is here came from them ("What the caller does", 5).
 */
extern bool tl_consensus_may_begin_with(const TlConsensus *core,
										const TlLogRow *rejoin);

/* For the caller's views and for tests. */
typedef struct TlConsensusStatus
{
	uint64_t	view;
	uint64_t	final_height;	/* of the last block handed over */
	uint64_t	final_view;		/* highest finalization known */
	uint64_t	sequence;		/* of the own log, asked for */
	unsigned	entries;		/* rows that wait for a block to order them */
	uint64_t	epoch;
	uint32_t	approvals;		/* of this member in this epoch */
	bool		works;			/* there is work: timers run */
	bool		stopped;		/* after a fork or a broken own log */
	bool		retired;		/* the epoch has ended, the next core takes over */

	uint64_t	checkpoint_height;	/* newest stable checkpoint */
	bool		diverged;		/* the own state is not the certified one */
	bool		asking;			/* waits for what others have seen of it */
	bool		outdated;		/* R27: the epoch needs a newer program */
	bool		lost;			/* has lost memory, and has not rejoined */
	uint64_t	floor;			/* votes only in views beyond */
	bool		numbered;		/* the own incarnation has a number: it may
								 * make batches */
	uint16_t	incarnation;	/* that number */
} TlConsensusStatus;

extern void tl_consensus_status(const TlConsensus *core,
								TlConsensusStatus *out);

/* Parts of a block that is being laid out, each in its place. */
extern void tl_consensus_block_set_lane(TlConsensusBlock *block,
										const TlLane *lane);
extern void tl_consensus_block_add_entry(TlConsensusBlock *block, uint8_t kind,
										 const TlHash *digest);

#endif							/* CONSENSUS_CORE_H */

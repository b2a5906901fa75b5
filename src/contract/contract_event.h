/*-------------------------------------------------------------------------
 *
 * contract_event.h
 *	  Events: what a call tells applications, and all members sign.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_EVENT_H
#define CONTRACT_EVENT_H

typedef struct TlEvent
{
	const char *contract;
	const char *name;
	Datum		payload;		/* jsonb */
	const char *text;			/* as it is signed */
} TlEvent;

/* Before the calls of a block, and before its timers; around one of them, done or not. */
extern void tl_contract_event_reset(void);
extern void tl_contract_event_begin(MemoryContext memory);
extern TlEvent *tl_contract_event_end(bool done, int *count);

/* Might the block not have room for all that one more timer may tell? */
extern bool tl_contract_event_is_full(void);

#endif							/* CONTRACT_EVENT_H */

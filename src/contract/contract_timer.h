/*-------------------------------------------------------------------------
 *
 * contract_timer.h
 *	  Timers of contracts: set by calls, and due in blocks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_TIMER_H
#define CONTRACT_TIMER_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "table_ref.h"

/* What the table of a handler's timers is called: the handler, and this. */
#define TL_TIMER_TABLE_SUFFIX	"_timer"

/* A timer that is due. */
typedef struct TlTimer
{
	const char *contract;
	const char *handler;
	Oid			function;
	Oid			table;
	char	   *key;
	TimestampTz at;
} TlTimer;

/* contract_timer_handler.c */
extern Oid	tl_contract_timer_type(void);
extern bool tl_contract_timer_is_handler(Oid function);
extern Oid	tl_contract_timer_handler(Oid schema, const char *name);
extern bool tl_contract_timer_is_table(Oid relation);
extern Oid	tl_contract_timer_table(Oid schema, const char *handler);
extern List *tl_contract_timer_statements(const char *handler);

/* contract_timer.c */
extern void tl_contract_timer_call(TimestampTz time, bool is_handler);
extern bool tl_contract_timer_lock(void);
extern bool tl_contract_timer_next(TimestampTz *at);
extern TlTimer *tl_contract_timer_due(TimestampTz time, int *count);
extern bool tl_contract_timer_take(const TlTimer *timer);

#endif							/* CONTRACT_TIMER_H */

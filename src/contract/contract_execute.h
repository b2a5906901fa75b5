/*-------------------------------------------------------------------------
 *
 * contract_execute.h
 *	  One call of a contract, executed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_EXECUTE_H
#define CONTRACT_EXECUTE_H

#include "datatype/timestamp.h"

#include "chain_state.h"
#include "contract_event.h"
#include "contract_timer.h"
#include "table_ref.h"

/* A row of an entry point's table that a final block has ordered, or a timer. */
typedef struct TlCall
{
	TlRefBytes	ref;
	Oid			table;
	Oid			function;
	bool		is_row;			/* one that is handled, and no call */
	const TlTimer *timer;		/* NULL: a row */
} TlCall;

/* What calls are told beside their arguments (ledger.context). */
typedef struct TlCallContext
{
	int64_t		height;
	TimestampTz time;			/* of the block */
	Datum		roles;			/* of the caller's member, text[] */
} TlCallContext;

typedef struct TlCallResult
{
	char		sqlstate[TL_SQLSTATE_SIZE + 1]; /* as all members say it */
	char	   *words;			/* the contract's own; NULL */
	char	   *error_sqlstate; /* as this server says it; NULL where it has nothing to add */
	char	   *error_message;
	TlEvent    *events;			/* of a call that is done */
	int			event_count;
} TlCallResult;

/* Around the calls of a block. */
extern int	tl_contract_execute_begin(void);
extern void tl_contract_execute_end(int settings);
extern void tl_contract_execute_abandon(void);

/* Around a call, or a statement of a new version that changes rows; leave also after an ERROR. */
extern void tl_contract_execute_enter(Oid schema, int64_t height, TimestampTz time, bool is_handler);
extern void tl_contract_execute_leave(void);

extern bool tl_contract_execute_is_result(const ErrorData *error, Oid schema);
extern bool tl_contract_execute_is_of_script(const ErrorData *error, Oid schema);
extern void tl_contract_execute(TlCallResult *out, const TlCall *call,
								const TlCallContext *context);

#endif							/* CONTRACT_EXECUTE_H */

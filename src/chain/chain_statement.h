/*-------------------------------------------------------------------------
 *
 * chain_statement.h
 *	  SQL statements of the library's own, planned once per backend.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_STATEMENT_H
#define CHAIN_STATEMENT_H

#include "executor/spi.h"

#include "tl_types.h"

#define TL_STATEMENT_ARGUMENTS_MAX	16

/* Stands for the type ledger.ref, whose OID is not known when compiling. */
#define TL_STATEMENT_REF			InvalidOid

typedef struct TlStatement
{
	const char *text;
	int			argument_count;
	Oid			types[TL_STATEMENT_ARGUMENTS_MAX];
	SPIPlanPtr	plan;
} TlStatement;

extern int	tl_chain_settle(void);
extern uint64 tl_chain_execute(TlStatement *statement, const Datum *values,
							   const char *nulls, bool read_only);
extern uint64 tl_chain_execute_until(TlStatement *statement, const Datum *values, bool read_only,
									 int column, size_t size_max);
extern Datum tl_chain_result(uint64 row, int column, bool *is_null);
extern TlSpan tl_chain_result_span(uint64 row, int column);
extern TlSpan tl_chain_span(Datum value);
extern Datum tl_chain_bytes(const void *data, size_t size);

#endif							/* CHAIN_STATEMENT_H */

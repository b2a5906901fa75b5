/*-------------------------------------------------------------------------
 *
 * chain_rows.h
 *	  Rows of one of the library's own tables, inserted many at a time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_ROWS_H
#define CHAIN_ROWS_H

typedef struct TlChainRows TlChainRows;

/* Of that table in ledger_internal; in the current memory context. */
extern TlChainRows *tl_chain_rows_open(const char *table);

/* Values of all columns, so many, which need not live any longer. */
extern void tl_chain_rows_add(TlChainRows *rows, const Datum *values, const bool *nulls, int count);

/* All of them are in the table. */
extern void tl_chain_rows_close(TlChainRows *rows);

#endif							/* CHAIN_ROWS_H */

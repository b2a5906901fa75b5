/*-------------------------------------------------------------------------
 *
 * replication_mark.h
 *	  Since when what is in the own wire has been there.
 *
 *-------------------------------------------------------------------------
 */
#ifndef REPLICATION_MARK_H
#define REPLICATION_MARK_H

#include "replication_connection.h"

extern int	tl_replication_mark_period_s(int keep_s);
extern int64_t tl_replication_mark(const uint8_t wire[16], bool of_rows, int64_t newest, int keep_s);
extern bool tl_replication_mark_ask(TlConnection *connection, int timeout_ms, TlConnectionDone done,
									void *context);
extern bool tl_replication_mark_newest(int64_t *out, const PGresult *result);

#endif							/* REPLICATION_MARK_H */

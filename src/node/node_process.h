/*-------------------------------------------------------------------------
 *
 * node_process.h
 *	  Processes that the worker of a database has beside itself.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_PROCESS_H
#define NODE_PROCESS_H

#include "postmaster/bgworker.h"

extern BackgroundWorkerHandle *tl_node_process_start(const char *what,
													 const char *function);
extern bool tl_node_process_has_ended(BackgroundWorkerHandle **handle);
extern void tl_node_process_keep_memory(void);

#endif							/* NODE_PROCESS_H */

/*-------------------------------------------------------------------------
 *
 * node_worker.h
 *	  Background workers: the launcher, and one worker per ledger database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_WORKER_H
#define NODE_WORKER_H

#define TL_NODE_WORKER_FUNCTION		"tl_node_worker_main"
#define TL_NODE_LAUNCHER_FUNCTION	"tl_node_launcher_main"

/* A worker stays away this long when somebody needs its database alone. */
#define TL_NODE_DROP_PAUSE_S		30

extern void tl_node_launcher_init(void);
extern void tl_node_worker_request_at_commit(void);
extern void tl_node_worker_end_at_commit(void);
extern void tl_node_worker_stop(Oid database);
extern void tl_node_worker_return(Oid database, bool dropped);
extern PGDLLEXPORT void tl_node_worker_main(Datum database);
extern PGDLLEXPORT void tl_node_launcher_main(Datum argument);

#endif							/* NODE_WORKER_H */

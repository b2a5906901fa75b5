/*-------------------------------------------------------------------------
 *
 * chain_stored.h
 *	  The tables of the stored chain, read directly.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_STORED_H
#define CHAIN_STORED_H

#include "access/htup.h"
#include "access/skey.h"
#include "utils/rel.h"

extern Oid	tl_chain_stored_oid(const char *name);
extern Relation tl_chain_stored_open(const char *name);
extern void tl_chain_stored_close(Relation relation);
extern HeapTuple tl_chain_stored_fetch(Relation relation,
									   const char *index_name, ScanKey keys,
									   int key_count,
									   ScanDirection direction);
extern AttrNumber tl_chain_stored_attribute(Relation relation,
											const char *column);
extern Datum tl_chain_stored_value(HeapTuple row, TupleDesc description,
								   const char *column);
extern bool tl_chain_stored_is_null(HeapTuple row, Relation relation,
									const char *column);
extern bool tl_chain_stored_any(const char *name);
extern bool tl_chain_stored_has(const char *name, const char *index_name);
extern bool tl_chain_stored_has_height(const char *name, const char *index_name, int64_t height);
extern int64_t tl_chain_stored_count(const char *name);

#endif							/* CHAIN_STORED_H */

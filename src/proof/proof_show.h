/*-------------------------------------------------------------------------
 *
 * proof_show.h
 *	  The part of a receipt that people read, from the part that proves.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_SHOW_H
#define PROOF_SHOW_H

#include "proof_check.h"

/*
 * Fill in chain, purpose, member, schema, table, ref, height, time and the
 * columns (room for TL_COLUMN_COUNT_MAX) of a receipt whose other fields are
 * set.  Texts go into the writer and the spans point there; with a writer that
 * only counts they are empty, and its size is the room needed.
 */
extern TlStatus tl_proof_show(TlReceipt *receipt, TlReceiptColumn *columns,
							  TlWriter *writer);

#endif							/* PROOF_SHOW_H */

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
#include "proof_definition.h"
#include "proof_epoch.h"
#include "proof_json.h"

/*
 * Fill in chain, purpose, member, schema, table, ref, height, time, outcome and the
 * columns (room for TL_COLUMN_COUNT_MAX) of a receipt whose other fields are
 * set.  Texts go into the writer and the spans point there; with a writer that
 * only counts they are empty, and its size is the room needed.
 */
extern TlStatus tl_proof_show(TlReceipt *receipt, TlReceiptColumn *columns,
							  TlWriter *writer);

/*
 * The same for the parts of a document of many receipts, whose other fields
 * are set.
 */
extern TlStatus tl_proof_show_bundle(TlBundle *bundle, TlWriter *writer);
extern TlStatus tl_proof_show_block(TlBundleBlock *part, TlWriter *writer);
extern TlStatus tl_proof_show_batch(TlBundleBatch *part, TlWriter *writer,
									const TlProofMembers *members);
extern TlStatus tl_proof_show_section(TlBundleSection *part, TlWriter *writer,
									  const TlDefinition *definition);
extern TlStatus tl_proof_show_row(TlBundleRow *part, TlReceiptColumn *columns,
								  TlWriter *writer,
								  const TlDefinition *definition,
								  const TlReceiptOutcome *outcome,
								  uint8_t section_kind, const TlHash *digest,
								  uint64_t height);

#endif							/* PROOF_SHOW_H */

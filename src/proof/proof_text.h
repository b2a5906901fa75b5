/*-------------------------------------------------------------------------
 *
 * proof_text.h
 *	  Values of a row as text, the same on every machine.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_TEXT_H
#define PROOF_TEXT_H

#include "table_row.h"
#include "tl_types.h"
#include "tl_wire.h"

/*
 * Where text goes: into a writer, or, without one, against text that somebody
 * claims, so that a checker needs no memory for what it recomputes.
 */
typedef struct TlTextSink
{
	TlWriter   *writer;			/* or NULL */
	TlSpan		claim;
	size_t		offset;			/* of the claim, compared so far */
	bool		differs;
	bool		quoted;			/* in an element of an array */
} TlTextSink;

extern void tl_proof_text_to(TlTextSink *sink, TlWriter *writer);
extern void tl_proof_text_against(TlTextSink *sink, TlSpan claim);
extern bool tl_proof_text_equal(const TlTextSink *sink);

extern void tl_proof_text_column(TlTextSink *sink, const TlRowColumn *column);
extern void tl_proof_text_string(TlTextSink *sink, TlSpan value);
extern void tl_proof_text_hex(TlTextSink *sink, TlSpan value);
extern void tl_proof_text_ref(TlTextSink *sink, const TlRef *ref);

/* us since 1970 UTC */
extern void tl_proof_text_block_time(TlTextSink *sink, int64_t time);

#endif							/* PROOF_TEXT_H */

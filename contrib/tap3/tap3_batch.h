/*-------------------------------------------------------------------------
 *
 * tap3_batch.h
 *	  A pull parser over a TAP file: the header, then event by event.
 *
 * tap3_batch_open reads up to the first call event, tap3_batch_next one event
 * a call.  When tap3_batch_next answers TAP3_END, the audit control
 * information has been read into the header as well and nothing follows the
 * batch.  Any other answer than TAP3_OK and TAP3_END refuses the file; where
 * and why is in batch->cursor.error.
 *
 * The memory used is the caller's Tap3Batch and Tap3Event, whatever the size
 * of the file.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TAP3_BATCH_H
#define TAP3_BATCH_H

#include "tap3_ber.h"
#include "tap3_record.h"

#define TAP3_SPECIFICATION		3
#define TAP3_RELEASE_MIN		9
#define TAP3_RELEASE_MAX		12

typedef struct Tap3Batch
{
	Tap3Cursor	cursor;
	uint32_t	last_group;		/* rank of the batch's last group, for their order */
	bool		in_events;		/* the cursor stands in the call event list */
	bool		ended;
	uint32_t	event_count;
	Tap3Header	header;
} Tap3Batch;

extern Tap3Status tap3_batch_open(Tap3Batch *batch, const void *data, size_t size);
extern Tap3Status tap3_batch_next(Tap3Batch *batch, Tap3Event *event);

#endif							/* TAP3_BATCH_H */

/*-------------------------------------------------------------------------
 *
 * tap3_write.h
 *	  A TAP file from its header and a source of call events.
 *
 * Two passes over the events: tap3_write_plan counts octets and sums amounts,
 * tap3_write_file writes.  The source must give the same events both times.
 * The audit control information is computed from the events; what the header
 * says about totals and times of calls is not used.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TAP3_WRITE_H
#define TAP3_WRITE_H

#include "tap3_batch.h"

#define TAP3_EVENT_SIZE_MAX		2048

/* Octets to a buffer; with data == NULL they are only counted. */
typedef struct Tap3Writer
{
	uint8_t    *data;
	size_t		capacity;
	size_t		size;
	Tap3Status	status;			/* the first thing that went wrong */
	bool		indefinite;		/* groups get indefinite lengths */
	bool		old_form;		/* the grammar of 3.9 and 3.10 */
	int32_t		release;
} Tap3Writer;

/* Fills event number (from 1, ascending, starting over at 1). */
typedef Tap3Status (*Tap3EventSource) (void *context, uint32_t number, Tap3Event *event);

typedef struct Tap3Plan
{
	const Tap3Header *header;
	Tap3EventSource source;
	void	   *source_context;
	uint32_t	event_count;
	bool		indefinite;
	size_t		events_size;	/* the events, without their list's header */
	size_t		head_size;		/* the groups before the events */
	size_t		tail_size;		/* the groups behind the events */
	size_t		file_size;
	Tap3Totals	totals;
	bool		any_start;
	int64_t		earliest;
	int64_t		latest;
	char		offset[6];		/* in which the two are written */
	uint32_t	failed_event;	/* whose value could not be written, 0 if none */
} Tap3Plan;

extern Tap3Status tap3_write_plan(Tap3Plan *plan, const Tap3Header *header, bool indefinite,
								  Tap3EventSource source, void *context, uint32_t event_count);
extern Tap3Status tap3_write_file(Tap3Plan *plan, uint8_t *data, size_t capacity, size_t *size);

extern void tap3_writer_init(Tap3Writer *writer, void *data, size_t capacity, int32_t release,
							 bool indefinite);
extern void tap3_write_event(Tap3Writer *writer, const Tap3Event *event);

#endif							/* TAP3_WRITE_H */

/*-------------------------------------------------------------------------
 *
 * tap3_audit.h
 *	  Is a TAP file acceptable: the checks of the receiving operator.
 *
 * Fatal findings concern the file (a fatal return of all of it), severe ones
 * one call event (a severe return of that event), warnings neither.  A check
 * of the file is reported whether it passed or not; events are reported only
 * for what is wrong with them.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TAP3_AUDIT_H
#define TAP3_AUDIT_H

#include "tap3_batch.h"

typedef enum Tap3Severity
{
	TAP3_SEVERITY_WARNING,
	TAP3_SEVERITY_SEVERE,
	TAP3_SEVERITY_FATAL,
	TAP3_SEVERITY_COUNT
} Tap3Severity;

#define TAP3_FINDING_TEXT_MAX	64

typedef struct Tap3Finding
{
	Tap3Severity severity;
	int			code;			/* as in RAP error details */
	bool		passed;
	uint32_t	tag;			/* the item concerned */
	uint32_t	event_number;	/* 0: the file */
	size_t		offset;			/* meaningful if event_number > 0 */
	char		expected[TAP3_FINDING_TEXT_MAX];
	char		found[TAP3_FINDING_TEXT_MAX];
	const char *message;
} Tap3Finding;

typedef void (*Tap3FindingSink) (void *context, const Tap3Finding *finding);

/* The caller's memory for an audit. */
typedef struct Tap3Audit
{
	Tap3Batch	batch;
	Tap3Event	event;
	Tap3Totals	totals;
	bool		any_start;
	int64_t		earliest;
	int64_t		latest;
	uint32_t	fatal_count;
	uint32_t	severe_count;
	uint32_t	warning_count;
	Tap3FindingSink sink;
	void	   *sink_context;
} Tap3Audit;

extern Tap3Status tap3_audit_run(Tap3Audit *audit, const void *data, size_t size,
								 const char *file_name, Tap3FindingSink sink, void *context);
extern bool tap3_audit_file_name(const Tap3Header *header, const char *file_name,
								 char expected[TAP3_FINDING_TEXT_MAX]);
extern const char *tap3_severity_name(Tap3Severity severity);

#endif							/* TAP3_AUDIT_H */

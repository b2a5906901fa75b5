/*-------------------------------------------------------------------------
 *
 * chain_manifest.h
 *	  Which rows a section holds: their refs and fingerprints, packed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_MANIFEST_H
#define CHAIN_MANIFEST_H

#include "tl_limits.h"
#include "tl_status.h"
#include "tl_types.h"
#include "tl_wire.h"

#define TL_FINGERPRINT_SIZE			4
#define TL_MANIFEST_ENTRY_SIZE_MAX	(10 + 5 + TL_FINGERPRINT_SIZE)

/* Appends entries; init it over a writer that the caller owns. */
typedef struct TlManifestWriter
{
	TlWriter   *writer;
	uint32_t	count;			/* entries so far */
	uint64_t	word;			/* incarnation and transaction of the last */
	uint32_t	row;			/* of the last */
} TlManifestWriter;

/* Reads entries; refs get the section's member. */
typedef struct TlManifestReader
{
	TlReader	reader;
	uint32_t	member;
	uint32_t	count;			/* entries so far */
	uint64_t	word;
	uint32_t	row;
} TlManifestReader;

extern void tl_chain_manifest_init(TlManifestWriter *manifest,
								   TlWriter *writer);

/* Refs must ascend and be of one member; TL_BAD_ORDER otherwise. */
extern TlStatus tl_chain_manifest_put(TlManifestWriter *manifest,
									  const TlRef *ref,
									  const TlHash *leaf_hash);

extern void tl_chain_manifest_open(TlManifestReader *manifest,
								   const void *data, size_t size,
								   uint32_t member);

/*
 * The next entry.  TL_OK with *found false at the end, where the entries are
 * known to fill the bytes exactly.
 */
extern TlStatus tl_chain_manifest_next(TlManifestReader *manifest, bool *found,
									   TlRef *ref,
									   uint8_t fingerprint[TL_FINGERPRINT_SIZE]);

/* Past so many entries at once; the ref of the last. */
extern TlStatus tl_chain_manifest_skip(TlManifestReader *manifest,
									   uint32_t count, TlRef *last);

#endif							/* CHAIN_MANIFEST_H */

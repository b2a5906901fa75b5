/*-------------------------------------------------------------------------
 *
 * tl_types.h
 *	  The few types that every floor shares.
 *
 * Pure code: no PostgreSQL, so that the unit tests, the fuzzers and the
 * offline verifier compile the same files as the server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TL_TYPES_H
#define TL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TL_HASH_SIZE		32
#define TL_SIGNATURE_SIZE	64
#define TL_REF_SIZE			16

/* A SHA-256 digest, wherever one is meant. */
typedef struct TlHash
{
	uint8_t		bytes[TL_HASH_SIZE];
} TlHash;

/* Bytes that somebody else owns. */
typedef struct TlSpan
{
	const uint8_t *data;
	size_t		size;
} TlSpan;

/*
 * The address of a row, for ever.  As 16 bytes: member u32, incarnation u16
 * and transaction u48 in one u64, row u32; so that bytewise order is the order
 * of commit addresses of one member.
 */
typedef struct TlRef
{
	uint32_t	member;			/* number of the member, the founder is 1 */
	uint16_t	incarnation;	/* 0 at first, grows with each REJOIN */
	uint64_t	transaction;	/* top-level transaction, 48 bits */
	uint32_t	row;			/* from 1, one counter for the transaction */
} TlRef;

#endif							/* TL_TYPES_H */

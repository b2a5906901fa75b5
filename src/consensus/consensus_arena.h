/*-------------------------------------------------------------------------
 *
 * consensus_arena.h
 *	  The memory that the caller lends to the core, and its bound.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONSENSUS_ARENA_H
#define CONSENSUS_ARENA_H

#include "tl_types.h"

/* With data == NULL an arena only counts: ask twice to learn the size first. */
typedef struct TlArena
{
	uint8_t    *data;
	size_t		size;
	size_t		used;
} TlArena;

extern void tl_consensus_arena_init(TlArena *arena, void *data, size_t size);

/* Zeroed bytes, aligned for any type; NULL if they do not fit. */
extern void *tl_consensus_arena_take(TlArena *arena, size_t size);

#endif							/* CONSENSUS_ARENA_H */

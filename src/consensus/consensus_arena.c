/*-------------------------------------------------------------------------
 *
 * consensus_arena.c
 *	  The memory that the caller lends to the core, and its bound.
 *
 * Invariants
 *	  A1  used never exceeds size, except while only counting
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_arena.h"

#include <string.h>

#define ARENA_ALIGNMENT	16

void
tl_consensus_arena_init(TlArena *arena, void *data, size_t size)
{
	arena->data = data;
	arena->size = (data == NULL) ? 0 : size;
	arena->used = 0;
}

void *
tl_consensus_arena_take(TlArena *arena, size_t size)
{
	size_t		rounded = (size + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT *
		ARENA_ALIGNMENT;
	void	   *taken;

	if (arena->data == NULL)
	{
		arena->used += rounded;
		return NULL;
	}
	if (rounded < size || rounded > arena->size - arena->used)
		return NULL;
	taken = arena->data + arena->used;
	arena->used += rounded;
	memset(taken, 0, rounded);
	return taken;
}

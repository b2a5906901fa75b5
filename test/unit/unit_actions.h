/*-------------------------------------------------------------------------
 *
 * unit_actions.h
 *	  What the core of consensus wants, found by its kind.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UNIT_ACTIONS_H
#define UNIT_ACTIONS_H

#include "consensus_core.h"

/* The first action of that kind, or NULL. */
static inline const TlAction *
unit_action(const TlActions *actions, TlActionKind kind)
{
	for (unsigned i = 0; i < actions->count; i++)
	{
		if (actions->list[i].kind == kind)
			return &actions->list[i];
	}
	return NULL;
}

/* The first row of that kind that is to be appended, or NULL. */
static inline const TlLogRow *
unit_appended(const TlActions *actions, TlLogKind kind)
{
	for (unsigned i = 0; i < actions->count; i++)
	{
		if (actions->list[i].kind == TL_ACT_APPEND && actions->list[i].row.kind == kind)
			return &actions->list[i].row;
	}
	return NULL;
}

#endif							/* UNIT_ACTIONS_H */

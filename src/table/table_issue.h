/*-------------------------------------------------------------------------
 *
 * table_issue.h
 *	  Refs: issued by the column's default, accepted once by the access method.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_ISSUE_H
#define TABLE_ISSUE_H

#include "table_ref.h"

/*
 * Who this database is on its ledger.  The node floor answers; the table floor
 * must not know how (floors depend downwards only).
 */
typedef struct TlIdentity
{
	bool		exists;			/* create_node has run */
	bool		test;			/* purpose of the ledger, from its genesis */
	bool		copied;			/* own state names another server or database */
	bool		rolled_back;	/* more was signed than the chain has here */
	bool		left;			/* is a member of its ledger no more */
	bool		ended;			/* the ledger goes on as another one */
	bool		observes;		/* is one that has no rows */
	uint32_t	member;
	uint16_t	incarnation;
	TlHash		chain_id;
} TlIdentity;

typedef void (*TlIdentityHook) (TlIdentity *identity);
extern PGDLLIMPORT TlIdentityHook tl_table_identity_hook;

/* May this database issue refs and sign? */
static inline bool
tl_table_identity_is_live(const TlIdentity *identity)
{
	return identity->exists && !identity->copied && !identity->rolled_back &&
		!identity->ended;
}

/* Restore mode: rows come with the refs that they had elsewhere. */
static inline bool
tl_table_identity_is_restoring(const TlIdentity *identity)
{
	return !identity->exists || identity->copied;
}

extern void tl_table_identity(TlIdentity *identity);
extern void tl_table_issue_init(void);
extern void tl_table_issue_next(TlRefBytes *out);
extern void tl_table_issue_accept(const TlRefBytes *ref, const char *relation);
extern void tl_table_issue_return(const TlRefBytes *ref);
extern uint32_t tl_table_issue_last(void);

#endif							/* TABLE_ISSUE_H */

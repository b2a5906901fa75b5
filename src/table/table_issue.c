/*-------------------------------------------------------------------------
 *
 * table_issue.c
 *	  Issues refs (ledger.next_ref) and accepts each exactly once.
 *
 * The default of ledger_ref issues (own member, incarnation, top-level xid,
 * next row number); the access method accepts.  Filling the column in the
 * access method would be too late: constraints, policies, generated columns
 * and ON CONFLICT arbiters have run by then.  So a backend keeps, for its
 * current top-level transaction, the set of numbers that were issued and are
 * not used yet, as a bitmap from 1.
 *
 * Invariants
 *	  I1  a number leaves the set when a row takes it, and returns only when
 *		  that very insertion was given up (speculative insertion)
 *	  I2  ROLLBACK TO SAVEPOINT does not bring numbers back: a ref names one
 *		  content for ever, also one that was rolled back
 *	  I3  the set belongs to one xid; the next transaction starts anew
 *
 * Memory: one bit per number issued, in TopTransactionContext: 10 million rows
 * take 1.2 MB.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "utils/memutils.h"

#include "table_issue.h"
#include "tl_compat.h"
#include "tl_error.h"
#include "tl_limits.h"

PG_FUNCTION_INFO_V1(tl_next_ref);

#define ISSUE_BYTES_INITIAL		1024

TlIdentityHook tl_table_identity_hook = NULL;

static struct
{
	uint64_t	transaction;	/* I3: owner of what follows, 0 for nobody */
	uint32_t	issued;			/* last number issued */
	uint8_t    *unused;			/* bit n: number n waits for its row */
	size_t		unused_size;	/* bytes */
} issue;

static void issue_start(uint64_t transaction);
static void issue_grow(uint32_t number);
static void issue_at_end(XactEvent event, void *arg);
static void check_may_insert(void);
tl_noreturn static void refuse_ref(const TlRef *ref, const char *relation,
								   const char *detail);

/* Ask the node floor who we are; without it, nobody. */
void
tl_table_identity(TlIdentity *identity)
{
	memset(identity, 0, sizeof(*identity));
	if (tl_table_identity_hook != NULL)
		tl_table_identity_hook(identity);
}

void
tl_table_issue_init(void)
{
	RegisterXactCallback(issue_at_end, NULL);
}

/* The memory goes with the transaction; only forget that it was ours. */
static void
issue_at_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE)
		memset(&issue, 0, sizeof(issue));
}

static void
issue_start(uint64_t transaction)
{
	issue.unused = MemoryContextAllocZero(TopTransactionContext,
										  ISSUE_BYTES_INITIAL);
	issue.unused_size = ISSUE_BYTES_INITIAL;
	issue.issued = 0;
	issue.transaction = transaction;	/* last: memory may be short */
}

/* Make room for the bit of this number. */
static void
issue_grow(uint32_t number)
{
	size_t		needed = (size_t) number / 8 + 1;
	size_t		size = issue.unused_size;

	if (needed <= size)
		return;
	while (size < needed)
		size *= 2;
	issue.unused = repalloc_huge(issue.unused, size);
	memset(issue.unused + issue.unused_size, 0, size - issue.unused_size);
	issue.unused_size = size;
}

/* The last number that the current transaction was issued, 0 if none. */
uint32_t
tl_table_issue_last(void)
{
	return issue.transaction != 0 ? issue.issued : 0;
}

/* ledger.next_ref(): the default of every ledger_ref column. */
Datum
tl_next_ref(PG_FUNCTION_ARGS)
{
	TlRefBytes *result = palloc(sizeof(TlRefBytes));

	check_may_insert();
	tl_table_issue_next(result);
	PG_RETURN_TLREF(result);
}

/* An observer's tables have definitions, which wait until it is something else. */
static void
check_may_insert(void)
{
	TlIdentity	identity;

	tl_table_identity(&identity);
	if (identity.observes)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("this member is an observer of its ledger, and has no rows on it"),
				errdetail("New rows would be committed here and never become final."),
				errhint("Ask the validators to make it a participant: SELECT ledger.set_kind(name, 'participant'). For rows of its own use tables without USING ledger."));
}

/* Issue the next ref of this transaction. */
void
tl_table_issue_next(TlRefBytes *out)
{
	TlIdentity	identity;
	TlRef		ref;

	tl_table_identity(&identity);
	if (!identity.exists)
		tl_error_not_a_node();
	if (identity.copied)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_ROLLED_BACK)),
				errmsg("this database is a copy of a ledger node"),
				errdetail("Its own state names another server or database, so it must not issue refs of that member."),
				errhint("If it shall take the member's place, run SELECT ledger.resume()."));
	if (identity.rolled_back)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_ROLLED_BACK)),
				errmsg("this database was restored to an older point"),
				errdetail("The member has signed more than is stored here, so refs that were issued before could be issued again."),
				errhint("Restore the newest state, or run SELECT ledger.accept_restore('reason')."));
	if (identity.ended)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("this ledger has ended, and goes on as another one"),
				errdetail("New rows would be committed here and never become final. What is on the ledger stays, and can be verified and proved."),
				errhint("Write to the database in which ledger.begin_ledger() was called; SELECT * FROM ledger.restart shows the ledger that it has."));
	if (identity.left)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("this member has left its ledger"),
				errdetail("New rows would be committed here and never become final, as the members take none of it any more."),
				errhint("What is on the ledger stays and can be verified. For new rows use tables without USING ledger, or a database that the members admit anew: ledger.join()."));

	ref.transaction = U64FromFullTransactionId(GetTopFullTransactionId());
	if (issue.transaction != ref.transaction)
		issue_start(ref.transaction);
	if (ref.transaction > TL_TRANSACTION_MAX || issue.issued == PG_UINT32_MAX)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_TOO_LARGE)),
				errmsg("no more refs can be issued in this transaction"));
	issue_grow(issue.issued + 1);
	ref.row = ++issue.issued;
	issue.unused[ref.row / 8] |= (uint8_t) (1 << (ref.row % 8));
	ref.member = identity.member;
	ref.incarnation = identity.incarnation;
	tl_table_ref_pack(out, &ref);
}

/*
 * Take a ref for a row that is about to be stored; ERROR if it was not issued
 * to this transaction or has been used.
 */
void
tl_table_issue_accept(const TlRefBytes *bytes, const char *relation)
{
	TlIdentity	identity;
	TlRef		ref;
	uint8_t		bit;

	tl_table_ref_unpack(&ref, bytes);
	tl_table_identity(&identity);
	if (ref.member != identity.member ||
		ref.incarnation != identity.incarnation)
		refuse_ref(&ref, relation, "It belongs to another member or incarnation.");
	if (issue.transaction == 0 || ref.transaction != issue.transaction)
		refuse_ref(&ref, relation, "It belongs to another transaction.");
	bit = (uint8_t) (1 << (ref.row % 8));
	if (ref.row == 0 || ref.row > issue.issued ||
		!(issue.unused[ref.row / 8] & bit))
		refuse_ref(&ref, relation, "It was not issued, or another row has taken it.");
	issue.unused[ref.row / 8] &= (uint8_t) ~bit;
}

/* I1: the insertion was given up before anybody could see it. */
void
tl_table_issue_return(const TlRefBytes *bytes)
{
	TlRef		ref;

	tl_table_ref_unpack(&ref, bytes);
	if (issue.transaction == 0 || ref.transaction != issue.transaction ||
		ref.row > issue.issued)
		return;
	issue.unused[ref.row / 8] |= (uint8_t) (1 << (ref.row % 8));
}

static void
refuse_ref(const TlRef *ref, const char *relation, const char *detail)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_BAD_REF)),
			errmsg("ledger_ref %s was not issued to this row of \"%s\"",
				   tl_table_ref_text(ref), relation),
			errdetail_internal("%s", detail),
			errhint("Leave ledger_ref out of the INSERT, so that its default fills it."));
}

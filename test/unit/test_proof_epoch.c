/*-------------------------------------------------------------------------
 *
 * test_proof_epoch.c
 *	  A receipt whose head others have signed than those in genesis.
 *
 * Four founders; block 3 decides that member 5 comes in place of member 2.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_check.h"
#include "proof_epoch.h"

#include "receipt_fixture.h"

#define BIT(member)		(UINT64_C(1) << ((member) - 1))

static FixtureOptions
defaults(void)
{
	FixtureOptions options = fixture_defaults();

	options.members = 4;
	options.changes = true;
	options.change_signers = BIT(1) | BIT(2) | BIT(4);
	options.signers = BIT(3) | BIT(4) | BIT(5);
	return options;
}

static bool
passes(void)
{
	TlVerdict	verdict;

	tl_proof_check(&verdict, &fixture.receipt, NULL, NULL);
	unit_context("%s", verdict.reason);
	return verdict.valid;
}

/* Refused for this reason and no other. */
static bool
refused(const char *reason)
{
	TlVerdict	verdict;

	tl_proof_check(&verdict, &fixture.receipt, NULL, NULL);
	unit_context("wanted \"%s\", got \"%s\"", reason, verdict.reason);
	return !verdict.valid && strcmp(verdict.reason, reason) == 0;
}

static void
followed(void)
{
	FixtureOptions options = defaults();
	TlProofMembers *members = malloc(sizeof(TlProofMembers));

	fixture_build(&options);
	UNIT_CHECK(passes());
	fixture_show();				/* with those who are members now */
	UNIT_CHECK(passes());
	tl_proof_epoch_begin(members, &fixture.genesis);
	UNIT_CHECK(tl_proof_epoch_find(members, 5) == NULL);
	UNIT_CHECK(tl_proof_epoch_follow(members, &fixture.chain_id,
									 fixture.receipt.epochs) == NULL);
	UNIT_CHECK(members->epoch == 1 && members->set.member_count == 4 &&
			   members->set.members[1].number == 3 &&
			   members->set.members[3].number == 5 && members->number_max == 5);
	/* Who has left has rows in older blocks. */
	UNIT_CHECK(tl_proof_epoch_find(members, 2) != NULL &&
			   tl_proof_epoch_find(members, 6) == NULL);
	UNIT_CHECK(tl_proof_epoch_find(members, 5)->name.size == 6);
	/* The same change once more is none. */
	UNIT_CHECK(tl_proof_epoch_follow(members, &fixture.chain_id,
									 fixture.receipt.epochs) != NULL);
	free(members);
}

/* Who signs the change, and who the head after it. */
static void
signers(void)
{
	FixtureOptions options = defaults();

	options.change_signers = BIT(1) | BIT(2);
	fixture_build(&options);
	UNIT_CHECK(refused("a change of members is not signed by a quorum of those before"));
	options.change_signers = BIT(1) | BIT(2) | BIT(5);
	fixture_build(&options);
	UNIT_CHECK(refused("a change of members is not signed by a quorum of those before"));
	options = defaults();
	options.signers = BIT(1) | BIT(2) | BIT(3);
	fixture_build(&options);
	UNIT_CHECK(refused("the head is not signed by a quorum of the members"));
	options.signers = BIT(1) | BIT(5);
	fixture_build(&options);
	UNIT_CHECK(refused("the head is not signed by a quorum of the members"));
	/* A head of before needs no change, and may not have one. */
	options = defaults();
	options.head = 3;
	options.signers = BIT(1) | BIT(2) | BIT(3);
	fixture_build(&options);
	UNIT_CHECK(refused("the head's members are not those that the changes lead to"));
	fixture.receipt.epochs.size = 0;
	UNIT_CHECK(passes());
	options = defaults();
	fixture_build(&options);
	fixture.receipt.epochs.size = 0;
	UNIT_CHECK(refused("the head's members are not those of the genesis block"));
}

/* Every bit of it, at every length, and at no other. */
static void
every_bit(void)
{
	FixtureOptions options = defaults();
	uint8_t    *bytes;
	size_t		size;

	fixture_build(&options);
	bytes = (uint8_t *) fixture.receipt.epochs.data;
	size = fixture.receipt.epochs.size;
	for (size_t bit = 0; bit < size * 8; bit++)
	{
		bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
		unit_context("bit %zu", bit);
		UNIT_CHECK(!passes());
		bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	for (fixture.receipt.epochs.size = 0; fixture.receipt.epochs.size < size;
		 fixture.receipt.epochs.size++)
		UNIT_CHECK(!passes());
	UNIT_CHECK(passes());
	bytes[size] = 0;
	fixture.receipt.epochs.size = size + 1;
	UNIT_CHECK(refused("a change of members is cut off"));
}

/* Two motions for one set: what a quorum is may not be for somebody to choose. */
static void
two_motions(void)
{
	FixtureOptions options = defaults();

	options.other_quorum = 2;
	fixture_build(&options);
	UNIT_CHECK(refused("two motions for one set of members differ in its quorum"));
}

UNIT_MAIN(UNIT_CASE(followed), UNIT_CASE(signers), UNIT_CASE(every_bit),
		  UNIT_CASE(two_motions))

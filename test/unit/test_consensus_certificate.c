/*-------------------------------------------------------------------------
 *
 * test_consensus_certificate.c
 *	  Quorums, and certificates with each thing wrong that can be.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_certificate.h"

#include "chain_genesis.h"
#include "unit.h"

#include <string.h>

#define MEMBERS		4

static const TlHash chain_id = {{1}};
static const TlHash block = {{2}};
static uint8_t secrets[MEMBERS + 1][TL_SECRET_SIZE];
static TlValidator validators[MEMBERS];
static uint8_t vote_bytes[(TL_MEMBER_COUNT_MAX + 1) * TL_CERTIFICATE_VOTE_SIZE];
static int	vectors_used;

static void
use_vector(const UnitRecord *record)
{
	static TlGenesis genesis;
	static uint8_t body[TL_GENESIS_BODY_SIZE_MAX];
	uint8_t		bytes[1024];
	uint8_t		again[1024];
	TlValidator set[MEMBERS];
	TlHash		chain;
	TlCertificate certificate;
	TlWriter	writer;
	size_t		size;

	if (strcmp(unit_text(record, "kind"), "certificate") != 0)
		return;
	vectors_used++;
	size = unit_bytes(body, sizeof(body), record, "genesis");
	UNIT_CHECK(tl_chain_genesis_decode(&genesis, body, size) == TL_OK);
	for (int i = 0; i < MEMBERS; i++)
	{
		set[i].member = genesis.members[i].number;
		memcpy(set[i].row_key, genesis.members[i].row_key, TL_XONLY_KEY_SIZE);
	}
	unit_bytes(chain.bytes, sizeof(chain), record, "chain_id");
	size = unit_bytes(bytes, sizeof(bytes), record, "certificate");
	UNIT_CHECK(tl_consensus_certificate_decode(&certificate, bytes, size) == TL_OK);
	tl_writer_init(&writer, again, sizeof(again));
	UNIT_CHECK(tl_consensus_certificate_encode(&writer, &certificate) == TL_OK);
	UNIT_CHECK(writer.size == size && memcmp(bytes, again, size) == 0);
	UNIT_CHECK(tl_consensus_certificate_verify(&certificate, &chain, set, MEMBERS, 3));
	UNIT_CHECK(!tl_consensus_certificate_verify(&certificate, &chain_id, set, MEMBERS, 3));
	for (size_t bit = 0; bit < size * 8; bit++)
	{
		bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
		UNIT_CHECK(tl_consensus_certificate_decode(&certificate, bytes, size) != TL_OK ||
				   !tl_consensus_certificate_verify(&certificate, &chain, set, MEMBERS, 3));
		bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	for (size_t cut = 0; cut < size; cut++)
		UNIT_CHECK(tl_consensus_certificate_decode(&certificate, bytes, cut) == TL_TRUNCATED);
}

static void
vectors(void)
{
	unit_vectors("chain.txt", use_vector);
	UNIT_CHECK(vectors_used == 2);
}

/* The numbers of the specification, and that two quorums share an honest one. */
static void
quorums(void)
{
	static const unsigned wanted[][2] = {
		{1, 1}, {2, 2}, {3, 3}, {4, 3}, {5, 4}, {6, 4}, {7, 5}, {10, 7}, {30, 20}
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		UNIT_CHECK(tl_consensus_quorum(wanted[i][0], 3) == wanted[i][1]);
	for (unsigned n = 1; n <= TL_MEMBER_COUNT_MAX; n++)
	{
		unsigned	faults = tl_consensus_faults(n);
		unsigned	quorum = tl_consensus_quorum(n, 3);

		unit_context("n = %u", n);
		UNIT_CHECK(2 * quorum > n + faults);
		UNIT_CHECK(n - faults >= quorum || n == 3);
		UNIT_CHECK(n < 4 ? faults == 0 : 3 * faults < n);
	}
	UNIT_CHECK(tl_consensus_quorum(3, 2) == 2);
	UNIT_CHECK(tl_consensus_quorum(4, 2) == 3);
	UNIT_CHECK(tl_consensus_quorum(0, 3) == 1);	/* nobody is no quorum */
}

static void
set_up(void)
{
	for (int i = 0; i <= MEMBERS; i++)
		memset(secrets[i], i + 1, TL_SECRET_SIZE);
	for (int i = 0; i < MEMBERS; i++)
	{
		validators[i].member = i + 1;
		UNIT_CHECK(tl_crypto_xonly_key(validators[i].row_key, secrets[i]) == TL_OK);
	}
}

/* One signed vote; member and signer are the same unless somebody cheats. */
static void
put_vote(TlWriter *writer, uint8_t kind, uint32_t member, int signer)
{
	TlLogRow	row = {.member = member,.sequence = 9,.previous = {{member}},
		.kind = kind,.epoch = 1,.view = 5,
	.payload = {block.bytes, kind == TL_LOG_NULLIFY ? 0 : TL_HASH_SIZE}};
	TlVote		vote;

	row.nonce[3] = 7;
	UNIT_CHECK(tl_consensus_row_sign(&row, &chain_id, secrets[signer], NULL) == TL_OK);
	tl_consensus_certificate_row_vote(&vote, &row);
	tl_consensus_certificate_put_vote(writer, &vote);
}

static TlCertificate
certificate_of(const TlWriter *votes, uint8_t kind)
{
	TlCertificate certificate = {.kind = kind,.epoch = 1,.view = 5,
		.vote_count = (uint16_t) (votes->size / TL_CERTIFICATE_VOTE_SIZE),
	.votes = {vote_bytes, votes->size}};

	if (kind != TL_LOG_NULLIFY)
		certificate.block = block;
	return certificate;
}

static bool
verify(const TlCertificate *certificate)
{
	return tl_consensus_certificate_verify(certificate, &chain_id, validators,
										   MEMBERS, 3);
}

/* A certificate by these members, each signing with the key of this number. */
static bool
verify_votes(int count, const uint32_t *members, const int *signers, uint8_t kind)
{
	TlCertificate certificate;
	TlWriter	votes;

	tl_writer_init(&votes, vote_bytes, sizeof(vote_bytes));
	for (int i = 0; i < count; i++)
		put_vote(&votes, kind, members[i], signers[i]);
	certificate = certificate_of(&votes, kind);
	return verify(&certificate);
}

static void
signers(void)
{
	static const uint8_t kinds[] = {TL_LOG_NOTARIZE, TL_LOG_FINALIZE, TL_LOG_NULLIFY};

	set_up();
	for (int i = 0; i < 3; i++)
	{
#define VERIFY(count, members, signers) \
	verify_votes(count, (const uint32_t[]) members, (const int[]) signers, kinds[i])
#define LIST(...)	{__VA_ARGS__}
		UNIT_CHECK(VERIFY(3, LIST(1, 2, 3), LIST(0, 1, 2)));
		UNIT_CHECK(VERIFY(3, LIST(1, 2, 4), LIST(0, 1, 3)));
		UNIT_CHECK(VERIFY(4, LIST(1, 2, 3, 4), LIST(0, 1, 2, 3)));
		UNIT_CHECK(!VERIFY(2, LIST(1, 2), LIST(0, 1))); /* too few */
		UNIT_CHECK(!VERIFY(3, LIST(1, 2, 2), LIST(0, 1, 1)));	/* one twice */
		UNIT_CHECK(!VERIFY(3, LIST(1, 3, 2), LIST(0, 2, 1)));	/* not in order */
		UNIT_CHECK(!VERIFY(3, LIST(1, 2, 3), LIST(0, 1, 1)));	/* for another */
		UNIT_CHECK(!VERIFY(3, LIST(1, 2, 5), LIST(0, 1, 4)));	/* a stranger */
		UNIT_CHECK(!VERIFY(4, LIST(1, 2, 3, 5), LIST(0, 1, 2, 4)));
		UNIT_CHECK(!VERIFY(4, LIST(1, 2, 3, 4), LIST(0, 1, 2, 4)));
	}
	UNIT_CHECK(!verify_votes(0, NULL, NULL, TL_LOG_FINALIZE));
	UNIT_CHECK(!verify_votes(1, (const uint32_t[]) {1}, (const int[]) {0}, TL_LOG_BATCH));
}

/* Votes for one thing are none for another. */
static void
subjects(void)
{
	TlCertificate certificate;
	TlWriter	votes;

	set_up();
	tl_writer_init(&votes, vote_bytes, sizeof(vote_bytes));
	for (int i = 0; i < MEMBERS; i++)
		put_vote(&votes, TL_LOG_NOTARIZE, i + 1, i);
	certificate = certificate_of(&votes, TL_LOG_NOTARIZE);
	UNIT_CHECK(verify(&certificate));
	certificate.kind = TL_LOG_FINALIZE;
	UNIT_CHECK(!verify(&certificate));
	certificate = certificate_of(&votes, TL_LOG_NOTARIZE);
	certificate.view++;
	UNIT_CHECK(!verify(&certificate));
	certificate = certificate_of(&votes, TL_LOG_NOTARIZE);
	certificate.epoch++;
	UNIT_CHECK(!verify(&certificate));
	certificate = certificate_of(&votes, TL_LOG_NOTARIZE);
	certificate.block.bytes[0]++;
	UNIT_CHECK(!verify(&certificate));
	memset(&certificate.block, 0, sizeof(certificate.block));
	UNIT_CHECK(!verify(&certificate));
	certificate = certificate_of(&votes, TL_LOG_NULLIFY);
	UNIT_CHECK(!verify(&certificate));
	certificate.block = block;
	UNIT_CHECK(!verify(&certificate));
}

static void
limits(void)
{
	uint8_t		bytes[16384];
	TlCertificate certificate = {.kind = TL_LOG_FINALIZE,.block = block,
		.vote_count = TL_MEMBER_COUNT_MAX + 1,
	.votes = {vote_bytes, sizeof(vote_bytes)}};
	TlVote		vote = {.sequence = 1};
	TlWriter	votes;
	TlWriter	writer;

	tl_writer_init(&votes, vote_bytes, sizeof(vote_bytes));
	for (unsigned i = 0; i <= TL_MEMBER_COUNT_MAX; i++)
	{
		vote.member = i + 1;
		tl_consensus_certificate_put_vote(&votes, &vote);
	}
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_certificate_encode(&writer, &certificate) == TL_TOO_LARGE);
	certificate.vote_count--;
	UNIT_CHECK(tl_consensus_certificate_encode(&writer, &certificate) == TL_BAD_FORMAT);
	certificate.votes.size -= TL_CERTIFICATE_VOTE_SIZE;
	UNIT_CHECK(tl_consensus_certificate_encode(&writer, &certificate) == TL_OK);
	UNIT_CHECK(tl_consensus_certificate_get_vote(&vote, &certificate, TL_MEMBER_COUNT_MAX) == TL_BUG);
	bytes[0] = 2;
	UNIT_CHECK(tl_consensus_certificate_decode(&certificate, bytes, writer.size) == TL_BAD_VERSION);
}

UNIT_MAIN(UNIT_CASE(vectors), UNIT_CASE(quorums), UNIT_CASE(signers),
		  UNIT_CASE(subjects), UNIT_CASE(limits))

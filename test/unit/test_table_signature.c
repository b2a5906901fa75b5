/*-------------------------------------------------------------------------
 *
 * test_table_signature.c
 *	  Signatures on rows: messages as in the vectors, and every way to fail.
 *
 *-------------------------------------------------------------------------
 */
#include "table_signature.h"

#include "crypto_hash.h"
#include "merkle_hash.h"
#include "merkle_range.h"
#include "tl_limits.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGE_SIZE_MAX	8192
#define COLUMNS_MAX			16

/* One record of the vectors, and what we make of it. */
typedef struct Case
{
	TlSignatureAlgorithm algorithm;
	TlSignatureScope scope;
	uint8_t		key[TL_SIGNATURE_KEY_SIZE_MAX];
	uint8_t		expected[MESSAGE_SIZE_MAX];
	size_t		expected_size;
	uint8_t		signature[TL_SIGNATURE_SIZE];
	uint8_t		message[MESSAGE_SIZE_MAX];
	TlWriter	writer;
} Case;

static int	seen[TL_SIGNATURE_ALGORITHM_COUNT];

static void
load(Case *c, const UnitRecord *record)
{
	UNIT_CHECK(tl_table_signature_parse(&c->algorithm,
										unit_text(record, "algorithm")));
	UNIT_CHECK(strcmp(tl_table_signature_name(c->algorithm),
					  unit_text(record, "algorithm")) == 0);
	UNIT_CHECK(unit_bytes(c->scope.chain_id.bytes, TL_HASH_SIZE, record,
						  "chain") == TL_HASH_SIZE);
	UNIT_CHECK(unit_bytes(c->scope.table_id, TL_TABLE_ID_SIZE, record,
						  "table") == TL_TABLE_ID_SIZE);
	c->scope.key.data = c->key;
	c->scope.key.size = unit_bytes(c->key, sizeof(c->key), record, "key");
	c->expected_size = unit_bytes(c->expected, sizeof(c->expected), record,
								  "message");
	UNIT_CHECK(unit_bytes(c->signature, sizeof(c->signature), record,
						  "signature") == TL_SIGNATURE_SIZE);
	tl_writer_init(&c->writer, c->message, sizeof(c->message));
}

/* "number:tag:value number:tag:null ..." */
static void
put_columns(Case *c, const UnitRecord *record)
{
	static uint8_t values[COLUMNS_MAX][256];
	TlSignatureColumn columns[COLUMNS_MAX];
	char	   *text = strdup(unit_text(record, "columns"));
	char	   *rest = text;
	char	   *word;
	int			count = 0;

	while (count < COLUMNS_MAX && (word = strtok_r(rest, " ", &rest)) != NULL)
	{
		TlSignatureColumn *column = &columns[count];
		char	   *end;

		column->attribute_number = (uint16_t) strtoul(word, &end, 10);
		column->type_tag = (uint32_t) strtoul(end + 1, &end, 10);
		column->value.data = NULL;
		column->value.size = 0;
		if (strcmp(end + 1, "null") != 0)
		{
			column->value.data = values[count];
			column->value.size = unit_hex(values[count], sizeof(values[count]),
										  end + 1);
		}
		count++;
	}
	UNIT_CHECK(count > 0);
	tl_table_signature_put_head(&c->writer, &c->scope, (uint16_t) count);
	for (int i = 0; i < count; i++)
		tl_table_signature_put_column(&c->writer, &columns[i]);
	free(text);
}

/* The messages of the rows are the leaves. */
static void
put_statement(Case *c, const UnitRecord *record)
{
	static uint8_t row[MESSAGE_SIZE_MAX];
	char	   *text = strdup(unit_text(record, "rows"));
	char	   *rest = text;
	char	   *word;
	TlMerkleRange range;
	TlHash		hash;

	tl_merkle_range_init(&range);
	while ((word = strtok_r(rest, " ", &rest)) != NULL)
	{
		size_t		size = unit_hex(row, sizeof(row), word);

		tl_merkle_leaf_hash(&hash, row, size);
		UNIT_CHECK(tl_merkle_range_append(&range, &hash) == TL_OK);
	}
	tl_merkle_range_root(&range, &hash);
	tl_table_signature_put_statement(&c->writer, &c->scope,
									 (uint32_t) range.size, &hash);
	UNIT_CHECK(c->writer.size <= TL_SIGNATURE_HEAD_SIZE_MAX);
	free(text);
}

static TlSpan
span(const void *data, size_t size)
{
	TlSpan		result = {data, size};

	return result;
}

static bool
verify(const Case *c)
{
	return tl_table_signature_verify(c->algorithm,
									 span(c->message, c->writer.size),
									 span(c->signature, TL_SIGNATURE_SIZE),
									 c->scope.key);
}

static void
make(Case *c, const UnitRecord *record)
{
	load(c, record);
	if (unit_has(record, "columns"))
		put_columns(c, record);
	else
		put_statement(c, record);
	UNIT_CHECK(tl_writer_finish(&c->writer) == TL_OK);
}

static void
check_record(const UnitRecord *record)
{
	static Case c;
	TlHash		digest;
	uint8_t		expected[TL_HASH_SIZE];

	make(&c, record);
	seen[c.algorithm]++;
	UNIT_CHECK(c.writer.size == c.expected_size &&
			   memcmp(c.message, c.expected, c.expected_size) == 0);
	tl_crypto_sha256(&digest, c.message, c.writer.size);
	UNIT_CHECK(unit_bytes(expected, sizeof(expected), record, "digest") ==
			   TL_HASH_SIZE);
	UNIT_CHECK(memcmp(digest.bytes, expected, TL_HASH_SIZE) == 0);
	UNIT_CHECK(tl_table_signature_key_check(c.algorithm, c.scope.key) == TL_OK);
	UNIT_CHECK(verify(&c));
	if (unit_has(record, "schema"))
	{
		uint8_t		table_id[TL_TABLE_ID_SIZE];

		UNIT_CHECK(tl_table_signature_table_id(table_id,
											   unit_text(record, "schema"),
											   unit_text(record, "relation")) == TL_OK);
		UNIT_CHECK(memcmp(table_id, c.scope.table_id, TL_TABLE_ID_SIZE) == 0);
	}
}

static void
messages_and_signatures_are_those_of_the_vectors(void)
{
	UNIT_CHECK(unit_vectors("signature.txt", check_record) == 30);
	for (int i = 0; i < TL_SIGNATURE_ALGORITHM_COUNT; i++)
		UNIT_CHECK(seen[i] == 10);
}

/* Flip each bit of what was signed, of the signature and of the key. */
static void
flip_record(const UnitRecord *record)
{
	static Case c;
	int			valid = 0;

	make(&c, record);
	if (c.writer.size > 220)
		return;					/* the short ones will do */
	for (size_t bit = 0; bit < c.writer.size * 8; bit++)
	{
		c.message[bit / 8] ^= (uint8_t) (1 << bit % 8);
		valid += verify(&c);
		c.message[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	for (size_t bit = 0; bit < TL_SIGNATURE_SIZE * 8; bit++)
	{
		c.signature[bit / 8] ^= (uint8_t) (1 << bit % 8);
		valid += verify(&c);
		c.signature[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	for (size_t bit = 0; bit < c.scope.key.size * 8; bit++)
	{
		c.key[bit / 8] ^= (uint8_t) (1 << bit % 8);
		valid += verify(&c);
		c.key[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	UNIT_CHECK(valid == 0);
	UNIT_CHECK(verify(&c));
}

static void
every_flipped_bit_is_noticed(void)
{
	UNIT_CHECK(unit_vectors("signature.txt", flip_record) > 0);
}

/* Sizes, and the signature under another algorithm. */
static void
refuse_record(const UnitRecord *record)
{
	static Case c;

	make(&c, record);
	for (size_t size = 0; size <= TL_SIGNATURE_SIZE; size++)
		UNIT_CHECK(tl_table_signature_verify(c.algorithm,
											 span(c.message, c.writer.size),
											 span(c.signature, size),
											 c.scope.key) ==
				   (size == TL_SIGNATURE_SIZE));
	for (size_t size = 0; size < c.scope.key.size; size++)
	{
		TlSpan		key = span(c.key, size);

		UNIT_CHECK(tl_table_signature_key_check(c.algorithm, key) == TL_BAD_KEY);
		UNIT_CHECK(!tl_table_signature_verify(c.algorithm,
											  span(c.message, c.writer.size),
											  span(c.signature, TL_SIGNATURE_SIZE),
											  key));
	}
	for (int i = 0; i < TL_SIGNATURE_ALGORITHM_COUNT; i++)
		UNIT_CHECK(tl_table_signature_verify((TlSignatureAlgorithm) i,
											 span(c.message, c.writer.size),
											 span(c.signature, TL_SIGNATURE_SIZE),
											 c.scope.key) ==
				   (i == (int) c.algorithm));
}

static void
sizes_and_other_algorithms_are_refused(void)
{
	UNIT_CHECK(unit_vectors("signature.txt", refuse_record) > 0);
}

/* M2: no two different lists of columns give one message. */
static void
null_is_not_empty(void)
{
	uint8_t		bytes[3][256];
	TlWriter	writers[3];
	TlSignatureScope scope;
	uint8_t		key[33] = {2};

	memset(&scope, 0, sizeof(scope));
	scope.key = span(key, sizeof(key));
	for (int i = 0; i < 3; i++)
	{
		TlSignatureColumn column = {1, 25, {NULL, 0}};

		if (i > 0)
			column.value = span("\0", i - 1);
		tl_writer_init(&writers[i], bytes[i], sizeof(bytes[i]));
		tl_table_signature_put_head(&writers[i], &scope, 1);
		tl_table_signature_put_column(&writers[i], &column);
		UNIT_CHECK(tl_writer_finish(&writers[i]) == TL_OK);
	}
	UNIT_CHECK(writers[0].size == writers[1].size);
	UNIT_CHECK(memcmp(bytes[0], bytes[1], writers[0].size) != 0);
	UNIT_CHECK(writers[2].size == writers[1].size + 1);
}

static void
plain_table_ids_separate_schema_and_name(void)
{
	uint8_t		left[TL_TABLE_ID_SIZE];
	uint8_t		right[TL_TABLE_ID_SIZE];
	static char long_name[UINT16_MAX + 2];

	UNIT_CHECK(tl_table_signature_table_id(left, "ab", "c") == TL_OK);
	UNIT_CHECK(tl_table_signature_table_id(right, "a", "bc") == TL_OK);
	UNIT_CHECK(memcmp(left, right, sizeof(left)) != 0);
	memset(long_name, 'x', sizeof(long_name) - 1);
	UNIT_CHECK(tl_table_signature_table_id(left, "a", long_name) == TL_TOO_LARGE);
	UNIT_CHECK(tl_table_signature_table_id(left, long_name, "a") == TL_TOO_LARGE);
}

static void
unknown_algorithms_are_refused(void)
{
	TlSignatureAlgorithm algorithm = TL_SIGNATURE_ES256;

	UNIT_CHECK(!tl_table_signature_parse(&algorithm, "ES256"));
	UNIT_CHECK(!tl_table_signature_parse(&algorithm, ""));
	UNIT_CHECK(!tl_table_signature_parse(&algorithm, "secp256k1 "));
	UNIT_CHECK(algorithm == TL_SIGNATURE_ES256);
}

UNIT_MAIN(UNIT_CASE(messages_and_signatures_are_those_of_the_vectors),
		  UNIT_CASE(every_flipped_bit_is_noticed),
		  UNIT_CASE(sizes_and_other_algorithms_are_refused),
		  UNIT_CASE(null_is_not_empty),
		  UNIT_CASE(plain_table_ids_separate_schema_and_name),
		  UNIT_CASE(unknown_algorithms_are_refused))

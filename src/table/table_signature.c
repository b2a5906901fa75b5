/*-------------------------------------------------------------------------
 *
 * table_signature.c
 *	  Signatures on rows: the bytes that are signed, and whether they were.
 *
 * The message of a row, integers big-endian:
 *
 *		offset	size	field
 *		0		28		'telco_ledger/1/row-signature'
 *		28		32		chain id, zeros where there is no ledger
 *		60		16		table id
 *		76		1		size k of the key
 *		77		k		key, as it stands in the key column
 *		77 + k	2		column count
 *		79 + k			the listed columns
 *
 * and for each listed column, ascending by attribute number:
 *
 *		0		2		attribute number
 *		2		1		kind, 0
 *		3		4		type tag
 *		7		4		length n, or ffffffff for NULL, which nothing follows
 *		11		n		value, as in the bytes of a row (table_row.c)
 *
 * The message of a statement:
 *
 *		0		34		'telco_ledger/1/statement-signature'
 *		34		32		chain id
 *		66		16		table id
 *		82		1		size k of the key
 *		83		k		key
 *		83 + k	4		row count
 *		87 + k	32		RFC 6962 root, its leaves the messages of the rows in
 *						order of insertion
 *
 * What all three algorithms sign is SHA-256 of the message.
 *
 * The table id of a ledger table is its own; of a partitioned one that of the
 * table on which the trigger was created; of any other table the first 16 bytes
 * of SHA-256('telco_ledger/1/plain-table' || u16 size, schema || u16 size,
 * name).
 *
 * Invariants
 *	  M1  a message names chain, table and signer, so that a signature counts
 *		  nowhere else and no second key fits it
 *	  M2  the messages of two different rows differ: every listed column is
 *		  there, NULL or not, with its length
 *	  M3  no message of a row is one of a statement, nor anything else that this
 *		  library signs
 *
 * Messages are only made, never read: whoever checks makes the message anew
 * from the row.  Hence no decoder.
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by the trigger, ledger.message_to_sign, the worker and verification.
 *
 *-------------------------------------------------------------------------
 */
#include "table_signature.h"

#include <assert.h>
#include <string.h>

#include "crypto_hash.h"
#include "tl_limits.h"

#define ROW_TAG			"telco_ledger/1/row-signature"
#define STATEMENT_TAG	"telco_ledger/1/statement-signature"
#define TABLE_TAG		"telco_ledger/1/plain-table"

static void put_scope(TlWriter *writer, const char *tag,
					  const TlSignatureScope *scope);
static void put_name(TlSha256 *hash, const char *name, size_t size);

static const char *const names[] = {"secp256k1", "bip340", "es256"};

const char *
tl_table_signature_name(TlSignatureAlgorithm algorithm)
{
	assert(algorithm < TL_SIGNATURE_ALGORITHM_COUNT);
	return names[algorithm];
}

bool
tl_table_signature_parse(TlSignatureAlgorithm *out, const char *name)
{
	for (int i = 0; i < TL_SIGNATURE_ALGORITHM_COUNT; i++)
		if (strcmp(names[i], name) == 0)
		{
			*out = (TlSignatureAlgorithm) i;
			return true;
		}
	return false;
}

/* The table id of a table that is on no ledger. */
TlStatus
tl_table_signature_table_id(uint8_t table_id[TL_TABLE_ID_SIZE],
							const char *schema, const char *name)
{
	size_t		schema_size = strlen(schema);
	size_t		name_size = strlen(name);
	TlSha256	hash;
	TlHash		digest;

	if (schema_size > UINT16_MAX || name_size > UINT16_MAX)
		return TL_TOO_LARGE;
	tl_crypto_sha256_init(&hash);
	tl_crypto_sha256_update(&hash, TABLE_TAG, strlen(TABLE_TAG));
	put_name(&hash, schema, schema_size);
	put_name(&hash, name, name_size);
	tl_crypto_sha256_final(&hash, &digest);
	memcpy(table_id, digest.bytes, TL_TABLE_ID_SIZE);
	return TL_OK;
}

static void
put_name(TlSha256 *hash, const char *name, size_t size)
{
	uint8_t		length[2];

	length[0] = (uint8_t) (size >> 8);
	length[1] = (uint8_t) size;
	tl_crypto_sha256_update(hash, length, sizeof(length));
	tl_crypto_sha256_update(hash, name, size);
}

/* What comes before the columns of a row. */
void
tl_table_signature_put_head(TlWriter *writer, const TlSignatureScope *scope,
							uint16_t column_count)
{
	assert(column_count > 0 && column_count <= TL_COLUMN_COUNT_MAX);
	put_scope(writer, ROW_TAG, scope);
	tl_put_u16(writer, column_count);
}

static void
put_scope(TlWriter *writer, const char *tag, const TlSignatureScope *scope)
{
	assert(scope->key.size > 0 &&
		   scope->key.size <= TL_SIGNATURE_KEY_SIZE_MAX);
	tl_put_bytes(writer, tag, strlen(tag));
	tl_put_hash(writer, &scope->chain_id);
	tl_put_bytes(writer, scope->table_id, TL_TABLE_ID_SIZE);
	tl_put_u8(writer, (uint8_t) scope->key.size);
	tl_put_bytes(writer, scope->key.data, scope->key.size);
}

/* The caller counts, and puts them in order of attribute number. */
void
tl_table_signature_put_column(TlWriter *writer, const TlSignatureColumn *column)
{
	bool		is_null = column->value.data == NULL;

	assert(column->attribute_number > 0 &&
		   column->attribute_number <= TL_ATTRIBUTE_NUMBER_MAX);
	assert(column->type_tag != 0);
	assert(is_null || column->value.size < TL_SIGNATURE_NULL);
	tl_put_u16(writer, column->attribute_number);
	tl_put_u8(writer, TL_COLUMN_PLAIN);
	tl_put_u32(writer, column->type_tag);
	tl_put_u32(writer, is_null ? TL_SIGNATURE_NULL :
			   (uint32_t) column->value.size);
	if (!is_null)
		tl_put_bytes(writer, column->value.data, column->value.size);
}

void
tl_table_signature_put_statement(TlWriter *writer,
								 const TlSignatureScope *scope,
								 uint32_t row_count, const TlHash *root)
{
	assert(row_count > 0);
	put_scope(writer, STATEMENT_TAG, scope);
	tl_put_u32(writer, row_count);
	tl_put_hash(writer, root);
}

TlStatus
tl_table_signature_key_check(TlSignatureAlgorithm algorithm, TlSpan key)
{
	switch (algorithm)
	{
		case TL_SIGNATURE_SECP256K1:
			return tl_crypto_key_check(key.data, key.size);
		case TL_SIGNATURE_BIP340:
			return key.size == TL_XONLY_KEY_SIZE ?
				tl_crypto_xonly_key_check(key.data) : TL_BAD_KEY;
		case TL_SIGNATURE_ES256:
			return tl_crypto_es256_key_check(key.data, key.size);
		default:
			return TL_BUG;
	}
}

bool
tl_table_signature_verify(TlSignatureAlgorithm algorithm, TlSpan message,
						  TlSpan signature, TlSpan key)
{
	TlHash		digest;

	if (signature.size != TL_SIGNATURE_SIZE)
		return false;
	tl_crypto_sha256(&digest, message.data, message.size);
	switch (algorithm)
	{
		case TL_SIGNATURE_SECP256K1:
			return tl_crypto_ecdsa_verify(signature.data, digest.bytes,
										  key.data, key.size);
		case TL_SIGNATURE_BIP340:
			return key.size == TL_XONLY_KEY_SIZE &&
				tl_crypto_schnorr_verify(signature.data, digest.bytes,
										 TL_HASH_SIZE, key.data);
		case TL_SIGNATURE_ES256:
			return tl_crypto_es256_verify(signature.data, digest.bytes,
										  key.data, key.size);
		default:
			return false;
	}
}

/*-------------------------------------------------------------------------
 *
 * table_signature.h
 *	  Signatures on rows: the bytes that are signed, and whether they were.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_SIGNATURE_H
#define TABLE_SIGNATURE_H

#include "crypto_curve.h"
#include "table_row.h"

/* A column's length, when there is no value. */
#define TL_SIGNATURE_NULL			UINT32_C(0xffffffff)

#define TL_SIGNATURE_KEY_SIZE_MAX	TL_KEY_UNCOMPRESSED_SIZE

/* Large enough for what comes before the columns, and for a statement. */
#define TL_SIGNATURE_HEAD_SIZE_MAX	256

typedef enum TlSignatureAlgorithm
{
	TL_SIGNATURE_SECP256K1,		/* ECDSA, r || s, lower s */
	TL_SIGNATURE_BIP340,		/* Schnorr, x-only key */
	TL_SIGNATURE_ES256,			/* ECDSA on P-256, r || s */
	TL_SIGNATURE_ALGORITHM_COUNT
} TlSignatureAlgorithm;

/* Where a signature counts, and whose it is. */
typedef struct TlSignatureScope
{
	TlHash		chain_id;		/* zeros where there is no ledger */
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	TlSpan		key;
} TlSignatureScope;

/* One listed column of a row; value.data is NULL if the value is. */
typedef struct TlSignatureColumn
{
	uint16_t	attribute_number;
	uint32_t	type_tag;
	TlSpan		value;
} TlSignatureColumn;

extern const char *tl_table_signature_name(TlSignatureAlgorithm algorithm);
extern bool tl_table_signature_parse(TlSignatureAlgorithm *out,
									 const char *name);

extern TlStatus tl_table_signature_table_id(uint8_t table_id[TL_TABLE_ID_SIZE],
											const char *schema,
											const char *name);

extern void tl_table_signature_put_head(TlWriter *writer,
										const TlSignatureScope *scope,
										uint16_t column_count);
extern void tl_table_signature_put_column(TlWriter *writer,
										  const TlSignatureColumn *column);
extern void tl_table_signature_put_statement(TlWriter *writer,
											 const TlSignatureScope *scope,
											 uint32_t row_count,
											 const TlHash *root);

/* TL_OK or TL_BAD_KEY. */
extern TlStatus tl_table_signature_key_check(TlSignatureAlgorithm algorithm,
											 TlSpan key);

/* Is it a signature of Hash(message) by the key? */
extern bool tl_table_signature_verify(TlSignatureAlgorithm algorithm,
									  TlSpan message, TlSpan signature,
									  TlSpan key);

#endif							/* TABLE_SIGNATURE_H */

/*-------------------------------------------------------------------------
 *
 * table_row.h
 *	  The bytes of a row: what is hashed, what is sent, what a receipt shows.
 *
 * Pure code: no PostgreSQL, no allocation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_ROW_H
#define TABLE_ROW_H

#include "crypto_hash.h"
#include "tl_types.h"
#include "tl_wire.h"

#define TL_ROW_LEAF_KIND		0x01
#define TL_ROW_FORMAT			1
#define TL_ROW_HEADER_SIZE		56
#define TL_ROW_COLUMN_SIZE		11	/* without the value */
#define TL_TABLE_ID_SIZE		16
#define TL_BLINDING_SIZE		16
#define TL_ROW_KEY_SIZE			32

/* What a column's bytes are. */
#define TL_COLUMN_PLAIN			0	/* the value */
#define TL_COLUMN_COMMITMENT	1	/* Hash(0x06 || salt || value) */

/* Where in the header stands what differs from row to row. */
#define TL_ROW_TABLE_ID_OFFSET		2
#define TL_ROW_REF_OFFSET			18
#define TL_ROW_BLINDING_OFFSET		38
#define TL_ROW_COLUMN_COUNT_OFFSET	54

/* And where in a column the length of the value stands. */
#define TL_ROW_COLUMN_LENGTH_OFFSET	7

typedef struct TlRowHeader
{
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	TlRef		ref;
	uint32_t	table_version;	/* from 1 */
	uint8_t		blinding[TL_BLINDING_SIZE];
	uint16_t	column_count;	/* columns that are not null */
} TlRowHeader;

typedef struct TlRowColumn
{
	uint16_t	attribute_number;	/* from 1 */
	uint8_t		kind;
	uint32_t	type_tag;
	TlSpan		value;
} TlRowColumn;

/* A row that is being read; open, then next column_count times, then close. */
typedef struct TlRowDecoder
{
	TlReader	reader;
	uint16_t	columns_left;
	uint16_t	last_attribute_number;
} TlRowDecoder;

extern void tl_table_row_put_header(TlWriter *writer,
									const TlRowHeader *header);
extern void tl_table_row_put_column(TlWriter *writer,
									const TlRowColumn *column);
extern void tl_table_row_blinding(uint8_t blinding[TL_BLINDING_SIZE],
								  const TlHmacKey *row_key,
								  const uint8_t ref[TL_REF_SIZE]);

extern TlStatus tl_table_row_open(TlRowDecoder *decoder, TlRowHeader *header,
								  const void *data, size_t size);
extern TlStatus tl_table_row_next(TlRowDecoder *decoder, TlRowColumn *column);
extern TlStatus tl_table_row_close(const TlRowDecoder *decoder);
extern TlStatus tl_table_row_check(const void *data, size_t size);

#endif							/* TABLE_ROW_H */

/*-------------------------------------------------------------------------
 *
 * table_message.h
 *	  From a row to the message that its signer signed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_MESSAGE_H
#define TABLE_MESSAGE_H

#include "executor/tuptable.h"

#include "merkle_range.h"
#include "table_requirement.h"

/* What a row says; valid until the next one is read. */
typedef struct TlSignedRow
{
	TlSpan		key;			/* data is NULL if the column is */
	TlSpan		signature;		/* likewise */
	TlSpan		message;		/* data is NULL if no key can have that size */
} TlSignedRow;

/* Rows of one statement, one after another. */
typedef struct TlSignedStatement
{
	TlMerkleRange rows;
	uint8_t		key[TL_SIGNATURE_KEY_SIZE_MAX];
	uint8_t		signature[TL_SIGNATURE_SIZE];
	size_t		key_size;
} TlSignedStatement;

typedef struct TlMessageBuilder TlMessageBuilder;

extern TlMessageBuilder *tl_table_message_open(const TlRequirement *requirement,
											   TupleDesc descriptor,
											   MemoryContext context);
extern void tl_table_message_read(TlMessageBuilder *builder, TlSignedRow *out,
								  TupleTableSlot *slot);
extern const char *tl_table_message_judge(const TlMessageBuilder *builder,
										  const TlSignedRow *row,
										  TlStatus *status);
extern void tl_table_message_close(TlMessageBuilder *builder);

extern const char *tl_table_message_start(const TlMessageBuilder *builder,
										  TlSignedStatement *out,
										  const TlSignedRow *row,
										  TlStatus *status);
extern bool tl_table_message_append(TlSignedStatement *statement,
									const TlSignedRow *row);
extern TlSpan tl_table_message_statement(TlMessageBuilder *builder,
										 const TlSignedStatement *statement);
extern const char *tl_table_message_judge_statement(TlMessageBuilder *builder,
													const TlSignedStatement *statement,
													TlStatus *status);

#endif							/* TABLE_MESSAGE_H */

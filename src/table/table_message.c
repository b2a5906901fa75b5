/*-------------------------------------------------------------------------
 *
 * table_message.c
 *	  From a row to the message that its signer signed.
 *
 * A builder knows one requirement; the bytes are laid out in table_signature.c,
 * values in table_type.c.  Used by the trigger, by ledger.message_to_sign, by
 * the worker and by verification, so that all of them agree.
 *
 * A judgement is NULL if all is well, otherwise a sentence about what is wrong,
 * a constant, and a status beside it.
 *
 * Memory: values are detoasted into a context that is reset with each row; the
 * buffers live as long as the builder, but not above BUILDER_KEEP_SIZE.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/memutils.h"

#include "merkle_hash.h"
#include "table_issue.h"
#include "table_message.h"
#include "table_type.h"
#include "tl_compat.h"
#include "tl_error.h"
#include "tl_limits.h"

#define BUILDER_KEEP_SIZE	(1024 * 1024)

struct TlMessageBuilder
{
	MemoryContext context;		/* all of it */
	MemoryContext row_context;	/* reset with each row */
	const TlRequirement *requirement;
	TlHash		chain_id;
	TlValueEncoder **values;
	StringInfoData value;
	StringInfoData message;
	uint8_t		statement[TL_SIGNATURE_HEAD_SIZE_MAX];
};

static void start_buffer(TlMessageBuilder *builder, StringInfo buffer);
static TlSpan read_bytes(TupleTableSlot *slot, AttrNumber attribute);
static void set_scope(const TlMessageBuilder *builder, TlSignatureScope *out,
					  TlSpan key);
static void append_head(TlMessageBuilder *builder, TlSpan key);
static void append_column(TlMessageBuilder *builder, TupleTableSlot *slot,
						  int column);
static const char *judge_parts(const TlMessageBuilder *builder,
							   const TlSignedRow *row, TlStatus *status);

/* The requirement must live as long as the builder. */
TlMessageBuilder *
tl_table_message_open(const TlRequirement *requirement, TupleDesc descriptor,
					  MemoryContext context)
{
	MemoryContext own = AllocSetContextCreate(context, "ledger signed message",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(own);
	TlMessageBuilder *builder = palloc0(sizeof(TlMessageBuilder));
	TlIdentity	identity;

	tl_table_identity(&identity);
	builder->context = own;
	builder->row_context = AllocSetContextCreate(own, "ledger signed row",
												 ALLOCSET_DEFAULT_SIZES);
	builder->requirement = requirement;
	builder->chain_id = identity.chain_id;
	builder->values = palloc(sizeof(TlValueEncoder *) * requirement->column_count);
	for (int i = 0; i < requirement->column_count; i++)
	{
		AttrNumber	number = requirement->attributes[i];

		if (number < 1 || number > descriptor->natts ||
			TupleDescAttr(descriptor, number - 1)->attisdropped)
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
					errmsg("a signature requirement names attribute %d, which the table does not have",
						   number),
					tl_error_hint_damaged());
		builder->values[i] = tl_table_type_encoder(TupleDescAttr(descriptor, number - 1)->atttypid,
												   own);
	}
	initStringInfo(&builder->value);
	initStringInfo(&builder->message);
	MemoryContextSwitchTo(caller);
	return builder;
}

void
tl_table_message_close(TlMessageBuilder *builder)
{
	MemoryContextDelete(builder->context);
}

/* Key, signature and message of a row. */
void
tl_table_message_read(TlMessageBuilder *builder, TlSignedRow *out,
					  TupleTableSlot *slot)
{
	const TlRequirement *requirement = builder->requirement;
	MemoryContext caller;

	MemoryContextReset(builder->row_context);
	caller = MemoryContextSwitchTo(builder->row_context);
	memset(out, 0, sizeof(*out));
	out->key = read_bytes(slot, requirement->key_attribute);
	out->signature = read_bytes(slot, requirement->signature_attribute);
	if (out->key.size > 0 && out->key.size <= TL_SIGNATURE_KEY_SIZE_MAX)
	{
		start_buffer(builder, &builder->message);
		append_head(builder, out->key);
		slot_getallattrs(slot);
		for (int i = 0; i < requirement->column_count; i++)
			append_column(builder, slot, i);
		out->message.data = (const uint8_t *) builder->message.data;
		out->message.size = builder->message.len;
	}
	MemoryContextSwitchTo(caller);
}

static TlSpan
read_bytes(TupleTableSlot *slot, AttrNumber attribute)
{
	TlSpan		span = {NULL, 0};
	bool		is_null;
	Datum		value = slot_getattr(slot, attribute, &is_null);

	if (!is_null)
	{
		bytea	   *bytes = DatumGetByteaPP(value);

		span.data = (const uint8_t *) VARDATA_ANY(bytes);
		span.size = VARSIZE_ANY_EXHDR(bytes);
	}
	return span;
}

/* Empty, and small again. */
static void
start_buffer(TlMessageBuilder *builder, StringInfo buffer)
{
	resetStringInfo(buffer);
	if (buffer->maxlen > BUILDER_KEEP_SIZE)
	{
		MemoryContext caller = MemoryContextSwitchTo(builder->context);

		pfree(buffer->data);
		initStringInfo(buffer);
		MemoryContextSwitchTo(caller);
	}
}

static void
set_scope(const TlMessageBuilder *builder, TlSignatureScope *out, TlSpan key)
{
	out->chain_id = builder->chain_id;
	memcpy(out->table_id, builder->requirement->signing_id, TL_TABLE_ID_SIZE);
	out->key = key;
}

static void
append_head(TlMessageBuilder *builder, TlSpan key)
{
	StringInfo	message = &builder->message;
	TlSignatureScope scope;
	TlWriter	writer;

	set_scope(builder, &scope, key);
	enlargeStringInfo(message, TL_SIGNATURE_HEAD_SIZE_MAX);
	tl_writer_init(&writer, message->data, TL_SIGNATURE_HEAD_SIZE_MAX);
	tl_table_signature_put_head(&writer, &scope,
								(uint16_t) builder->requirement->column_count);
	tl_error_check(tl_writer_finish(&writer), "cannot begin a message to sign");
	message->len = (int) writer.size;
}

static void
append_column(TlMessageBuilder *builder, TupleTableSlot *slot, int column)
{
	AttrNumber	attribute = builder->requirement->attributes[column];
	StringInfo	message = &builder->message;
	StringInfo	value = &builder->value;
	TlSignatureColumn bytes;
	TlWriter	writer;
	size_t		size;

	start_buffer(builder, value);
	memset(&bytes, 0, sizeof(bytes));
	bytes.attribute_number = (uint16_t) builder->requirement->numbers[column];
	bytes.type_tag = builder->requirement->type_tags[column];
	if (!slot->tts_isnull[attribute - 1])
	{
		tl_table_type_append(value, builder->values[column],
							 slot->tts_values[attribute - 1]);
		bytes.value.data = (const uint8_t *) value->data;
		bytes.value.size = value->len;
	}
	size = TL_ROW_COLUMN_SIZE + bytes.value.size;
	if (size > TL_ROW_SIZE_MAX - 1 - (size_t) message->len)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_TOO_LARGE)),
				errmsg("the row is too large to be signed"),
				errdetail("The message of a row is limited to %d bytes.", TL_ROW_SIZE_MAX),
				errhint("Sign a hash of the large value, in a column of its own."));
	enlargeStringInfo(message, (int) size);
	tl_writer_init(&writer, message->data + message->len, size);
	tl_table_signature_put_column(&writer, &bytes);
	tl_error_check(tl_writer_finish(&writer), "cannot encode a column");
	message->len += (int) size;
}

/* Is the row signed? */
const char *
tl_table_message_judge(const TlMessageBuilder *builder, const TlSignedRow *row,
					   TlStatus *status)
{
	const char *reason = judge_parts(builder, row, status);

	if (reason != NULL)
		return reason;
	if (tl_table_signature_verify(builder->requirement->algorithm, row->message,
								  row->signature, row->key))
		return NULL;
	*status = TL_BAD_SIGNATURE;
	return "The signature is not one of these values by this key.";
}

/* Key and signature by themselves. */
static const char *
judge_parts(const TlMessageBuilder *builder, const TlSignedRow *row,
			TlStatus *status)
{
	*status = TL_BAD_KEY;
	if (row->key.data == NULL)
		return "The key is null.";
	if (tl_table_signature_key_check(builder->requirement->algorithm,
									 row->key) != TL_OK)
		return "The key is not one of the algorithm's.";
	*status = TL_BAD_SIGNATURE;
	if (row->signature.data == NULL)
		return "The signature is null.";
	if (row->signature.size != TL_SIGNATURE_SIZE)
		return "The signature does not have 64 bytes.";
	*status = TL_OK;
	return NULL;
}

/* The first row of a statement; not appended yet. */
const char *
tl_table_message_start(const TlMessageBuilder *builder, TlSignedStatement *out,
					   const TlSignedRow *row, TlStatus *status)
{
	const char *reason = judge_parts(builder, row, status);

	tl_merkle_range_init(&out->rows);
	out->key_size = 0;
	if (reason != NULL)
		return reason;
	memcpy(out->key, row->key.data, row->key.size);
	out->key_size = row->key.size;
	memcpy(out->signature, row->signature.data, TL_SIGNATURE_SIZE);
	return NULL;
}

/* Append a row; false if it carries another key or signature. */
bool
tl_table_message_append(TlSignedStatement *statement, const TlSignedRow *row)
{
	TlHash		leaf_hash;

	if (row->key.data == NULL || row->signature.data == NULL ||
		row->key.size != statement->key_size ||
		row->signature.size != TL_SIGNATURE_SIZE ||
		memcmp(row->key.data, statement->key, statement->key_size) != 0 ||
		memcmp(row->signature.data, statement->signature, TL_SIGNATURE_SIZE) != 0)
		return false;
	tl_merkle_leaf_hash(&leaf_hash, row->message.data, row->message.size);
	tl_error_check(tl_merkle_range_append(&statement->rows, &leaf_hash),
				   "tree of a statement");
	return true;
}

/* The message of all rows together; valid until the next one. */
TlSpan
tl_table_message_statement(TlMessageBuilder *builder,
						   const TlSignedStatement *statement)
{
	TlSignatureScope scope;
	TlSpan		span;
	TlWriter	writer;
	TlHash		root;

	if (statement->rows.size > PG_UINT32_MAX)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_TOO_LARGE)),
				errmsg("the statement has too many rows for one signature"),
				errdetail("The limit is %u.", PG_UINT32_MAX),
				errhint("Sign and insert the rows in several statements."));
	span.data = statement->key;
	span.size = statement->key_size;
	set_scope(builder, &scope, span);
	tl_merkle_range_root(&statement->rows, &root);
	tl_writer_init(&writer, builder->statement, sizeof(builder->statement));
	tl_table_signature_put_statement(&writer, &scope,
									 (uint32_t) statement->rows.size, &root);
	tl_error_check(tl_writer_finish(&writer), "message of a statement");
	span.data = builder->statement;
	span.size = writer.size;
	return span;
}

const char *
tl_table_message_judge_statement(TlMessageBuilder *builder,
								 const TlSignedStatement *statement,
								 TlStatus *status)
{
	TlSpan		message = tl_table_message_statement(builder, statement);
	TlSpan		signature = {statement->signature, TL_SIGNATURE_SIZE};
	TlSpan		key = {statement->key, statement->key_size};

	if (tl_table_signature_verify(builder->requirement->algorithm, message,
								  signature, key))
		return NULL;
	*status = TL_BAD_SIGNATURE;
	return "The signature is not one of the statement's rows, in this order, by this key.";
}

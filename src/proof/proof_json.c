/*-------------------------------------------------------------------------
 *
 * proof_json.c
 *	  Receipts as JSON: one list of keys for the reader and the writer.
 *
 * The tables below are the format (README.md tells what the keys mean).  Each
 * object has exactly the keys listed, in any order; restart only in receipts of a
 * ledger that a RESTART began, epochs only if the members have changed, outcome
 * only of shared tables.
 *
 *		string		as it is
 *		hex			string of lower-case hex digits, two a byte
 *		hashes		array of strings of 64 lower-case hex digits
 *		number		decimal digits, no sign, no leading zero, at most 2^63 - 1
 *		list		array of at least one object
 *
 * Invariants
 *	  J1  one receipt has one document, white space and order of keys apart:
 *		  unknown keys, capital hex digits and other ways to write a number are
 *		  refused
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by receipts, by ledger.verify_receipt() and by contrib/verifier.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef enum FieldKind
{
	FIELD_FORMAT,				/* the string TL_RECEIPT_FORMAT */
	FIELD_STRING,
	FIELD_HEX,
	FIELD_HASHES,
	FIELD_NUMBER,
	FIELD_COLUMNS,				/* object: column name to string or null */
	FIELD_OBJECT,
	FIELD_DEFINITION,			/* object, or null if there is none */
	FIELD_OPTIONAL,				/* object that begins with whether it is there */
	FIELD_EPOCHS,				/* hex, or absent */
	FIELD_OUTCOME,				/* string, or absent */
	FIELD_BUNDLE_FORMAT,		/* the string TL_RECEIPTS_FORMAT */
	FIELD_DEFINITION_NUMBER,	/* number, or null if there is none */
	FIELD_FOREST,				/* object, read and written by the caller */
	FIELD_LIST					/* array of objects, likewise */
} FieldKind;

typedef struct Field
{
	const char *key;
	FieldKind	kind;
	size_t		offset;			/* of what is read, in the structure around it */
	const struct Shape *shape;	/* of an object */
} Field;

typedef struct Shape
{
	size_t		count;
	const Field *fields;
} Shape;

#define SHAPE(fields)	{sizeof(fields) / sizeof((fields)[0]), fields}
#define IN_ROW(member)	offsetof(TlReceiptRow, member)
#define IN_TOP(member)	offsetof(TlReceipt, member)

static const Field section_fields[] = {
	{"leaf", FIELD_HEX, IN_ROW(section), NULL},
	{"random", FIELD_HEX, IN_ROW(section_random), NULL},
	{"index", FIELD_NUMBER, IN_ROW(section_index), NULL},
	{"path", FIELD_HASHES, IN_ROW(section_path), NULL},
};
static const Shape section_shape = SHAPE(section_fields);

static const Field batch_fields[] = {
	{"header", FIELD_HEX, IN_ROW(batch), NULL},
	{"digests", FIELD_HASHES, IN_ROW(batch_digests), NULL},
};
static const Shape batch_shape = SHAPE(batch_fields);

static const Field block_fields[] = {
	{"header", FIELD_HEX, IN_ROW(block), NULL},
	{"path", FIELD_HASHES, IN_ROW(block_path), NULL},
};
static const Shape block_shape = SHAPE(block_fields);

static const Field row_fields[] = {
	{"bytes", FIELD_HEX, IN_ROW(bytes), NULL},
	{"index", FIELD_NUMBER, IN_ROW(index), NULL},
	{"path", FIELD_HASHES, IN_ROW(path), NULL},
	{"section", FIELD_OBJECT, 0, &section_shape},
	{"batch", FIELD_OBJECT, 0, &batch_shape},
	{"block", FIELD_OBJECT, 0, &block_shape},
};
static const Shape row_shape = SHAPE(row_fields);

static const Field head_fields[] = {
	{"header", FIELD_HEX, IN_TOP(head), NULL},
	{"certificate", FIELD_HEX, IN_TOP(certificate), NULL},
	{"epochs", FIELD_EPOCHS, IN_TOP(epochs), NULL},
};
static const Shape head_shape = SHAPE(head_fields);

#define IN_RESTART(member)	offsetof(TlReceiptRestart, member)

static const Field restart_fields[] = {
	{"chain", FIELD_HEX, IN_RESTART(chain), NULL},
	{"last", FIELD_HEX, IN_RESTART(last), NULL},
	{"reason", FIELD_STRING, IN_RESTART(reason), NULL},
};
static const Shape restart_shape = SHAPE(restart_fields);

static const Field genesis_fields[] = {
	{"header", FIELD_HEX, IN_TOP(genesis_header), NULL},
	{"body", FIELD_HEX, IN_TOP(genesis_body), NULL},
	{"restart", FIELD_OPTIONAL, IN_TOP(restart), &restart_shape},
};
static const Shape genesis_shape = SHAPE(genesis_fields);

#define IN_OUTCOME(member)	offsetof(TlReceiptOutcome, member)

static const Field outcome_fields[] = {
	{"certificate", FIELD_HEX, IN_OUTCOME(certificate), NULL},
	{"block", FIELD_HEX, IN_OUTCOME(block), NULL},
	{"path", FIELD_HASHES, IN_OUTCOME(path), NULL},
	{"leaves", FIELD_HEX, IN_OUTCOME(leaves), NULL},
};
static const Shape outcome_shape = SHAPE(outcome_fields);

static const Field proof_fields[] = {
	{"row", FIELD_OBJECT, IN_TOP(row), &row_shape},
	{"definition", FIELD_DEFINITION, IN_TOP(definition), &row_shape},
	{"outcome", FIELD_OPTIONAL, IN_TOP(outcome), &outcome_shape},
	{"head", FIELD_OBJECT, 0, &head_shape},
	{"genesis", FIELD_OBJECT, 0, &genesis_shape},
};
static const Shape proof_shape = SHAPE(proof_fields);

static const Field receipt_fields[] = {
	{"format", FIELD_FORMAT, 0, NULL},
	{"chain", FIELD_HEX, IN_TOP(chain), NULL},
	{"purpose", FIELD_STRING, IN_TOP(purpose), NULL},
	{"member", FIELD_STRING, IN_TOP(member), NULL},
	{"schema", FIELD_STRING, IN_TOP(schema), NULL},
	{"table", FIELD_STRING, IN_TOP(table), NULL},
	{"ref", FIELD_STRING, IN_TOP(ref), NULL},
	{"height", FIELD_NUMBER, IN_TOP(height), NULL},
	{"time", FIELD_STRING, IN_TOP(time), NULL},
	{"outcome", FIELD_OUTCOME, IN_TOP(outcome_text), NULL},
	{"row", FIELD_COLUMNS, 0, NULL},
	{"proof", FIELD_OBJECT, 0, &proof_shape},
};
static const Shape receipt_shape = SHAPE(receipt_fields);

#define IN_CONSISTENCY(member)	offsetof(TlConsistency, member)

static const Field consistency_fields[] = {
	{"old_size", FIELD_NUMBER, IN_CONSISTENCY(old_size), NULL},
	{"new_size", FIELD_NUMBER, IN_CONSISTENCY(new_size), NULL},
	{"hashes", FIELD_HASHES, IN_CONSISTENCY(hashes), NULL},
};
static const Shape consistency_shape = SHAPE(consistency_fields);

#define IN_BUNDLE(member)	offsetof(TlBundle, member)
#define IN_FOREST(member)	offsetof(TlBundleForest, member)
#define IN_BLOCK(member)	offsetof(TlBundleBlock, member)
#define IN_BATCH(member)	offsetof(TlBundleBatch, member)
#define IN_SECTION(member)	offsetof(TlBundleSection, member)
#define IN_MEMBER(member)	offsetof(TlBundleRow, member)

static const Field bundle_head_fields[] = {
	{"header", FIELD_HEX, IN_BUNDLE(head), NULL},
	{"certificate", FIELD_HEX, IN_BUNDLE(certificate), NULL},
	{"epochs", FIELD_EPOCHS, IN_BUNDLE(epochs), NULL},
};
static const Shape bundle_head_shape = SHAPE(bundle_head_fields);

static const Field bundle_genesis_fields[] = {
	{"header", FIELD_HEX, IN_BUNDLE(genesis_header), NULL},
	{"body", FIELD_HEX, IN_BUNDLE(genesis_body), NULL},
	{"restart", FIELD_OPTIONAL, IN_BUNDLE(restart), &restart_shape},
};
static const Shape bundle_genesis_shape = SHAPE(bundle_genesis_fields);

/* In this order they are written; a list, and a forest, is left open. */
static const Field bundle_fields[] = {
	{"format", FIELD_BUNDLE_FORMAT, 0, NULL},
	{"chain", FIELD_HEX, IN_BUNDLE(chain), NULL},
	{"purpose", FIELD_STRING, IN_BUNDLE(purpose), NULL},
	{"head", FIELD_OBJECT, 0, &bundle_head_shape},
	{"genesis", FIELD_OBJECT, 0, &bundle_genesis_shape},
	{"definitions", FIELD_FOREST, IN_BUNDLE(definitions), NULL},
	{"rows", FIELD_FOREST, IN_BUNDLE(rows), NULL},
};

static const Field forest_fields[] = {
	{"history", FIELD_HASHES, IN_FOREST(history), NULL},
	{"blocks", FIELD_LIST, IN_FOREST(blocks), NULL},
};

static const Field bundle_block_fields[] = {
	{"height", FIELD_NUMBER, IN_BLOCK(height), NULL},
	{"time", FIELD_STRING, IN_BLOCK(time), NULL},
	{"header", FIELD_HEX, IN_BLOCK(header), NULL},
	{"digests", FIELD_HASHES, IN_BLOCK(digests), NULL},
	{"outcome", FIELD_OPTIONAL, IN_BLOCK(outcome), &outcome_shape},
	{"batches", FIELD_LIST, IN_BLOCK(batches), NULL},
};

static const Field bundle_batch_fields[] = {
	{"member", FIELD_STRING, IN_BATCH(member), NULL},
	{"header", FIELD_HEX, IN_BATCH(header), NULL},
	{"nodes", FIELD_HASHES, IN_BATCH(nodes), NULL},
	{"sections", FIELD_LIST, IN_BATCH(sections), NULL},
};

static const Field bundle_section_fields[] = {
	{"schema", FIELD_STRING, IN_SECTION(schema), NULL},
	{"table", FIELD_STRING, IN_SECTION(table), NULL},
	{"definition", FIELD_DEFINITION_NUMBER, IN_SECTION(definition), NULL},
	{"index", FIELD_NUMBER, IN_SECTION(index), NULL},
	{"leaf", FIELD_HEX, IN_SECTION(leaf), NULL},
	{"random", FIELD_HEX, IN_SECTION(random), NULL},
	{"rows", FIELD_LIST, IN_SECTION(rows), NULL},
	{"nodes", FIELD_HASHES, IN_SECTION(nodes), NULL},
};

static const Field bundle_row_fields[] = {
	{"ref", FIELD_STRING, IN_MEMBER(ref), NULL},
	{"outcome", FIELD_OUTCOME, IN_MEMBER(outcome_text), NULL},
	{"row", FIELD_COLUMNS, 0, NULL},
	{"index", FIELD_NUMBER, IN_MEMBER(index), NULL},
	{"bytes", FIELD_HEX, IN_MEMBER(bytes), NULL},
};
static const Shape bundle_row_shape = SHAPE(bundle_row_fields);

static const Shape level_shapes[] = {
	[TL_BUNDLE_TOP] = SHAPE(bundle_fields),
	[TL_BUNDLE_FOREST] = SHAPE(forest_fields),
	[TL_BUNDLE_BLOCK] = SHAPE(bundle_block_fields),
	[TL_BUNDLE_BATCH] = SHAPE(bundle_batch_fields),
	[TL_BUNDLE_SECTION] = SHAPE(bundle_section_fields),
};

static const size_t level_sizes[] = {
	[TL_BUNDLE_TOP] = sizeof(TlBundle),
	[TL_BUNDLE_FOREST] = sizeof(TlBundleForest),
	[TL_BUNDLE_BLOCK] = sizeof(TlBundleBlock),
	[TL_BUNDLE_BATCH] = sizeof(TlBundleBatch),
	[TL_BUNDLE_SECTION] = sizeof(TlBundleSection),
};

/* Where the parts go that are more than one field. */
typedef struct Reading
{
	bool	   *has_definition;
	TlReceiptColumn *columns;	/* room */
	uint32_t   *column_count;
	const TlReceiptColumn **column_list;
} Reading;

/* And where they come from. */
typedef struct Writing
{
	bool		has_definition;
	uint32_t	column_count;
	const TlReceiptColumn *columns;
} Writing;

static const char *read_object(Reading *reading, char *base,
							   const TlJsonNode *node, const Shape *shape);
static bool may_be_absent(const Field *field);
static const char *read_field(Reading *reading, char *base,
							  const TlJsonNode *node, const Field *field);
static const char *read_format(const TlJsonNode *node, const char *format,
							   const char *problem);
static bool is_text(const TlJsonNode *node, const char *text);
static const char *read_string(TlSpan *out, const TlJsonNode *node);
static const char *read_hex(TlSpan *out, const TlJsonNode *node);
static const char *read_epochs(TlSpan *out, const TlJsonNode *node);
static const char *read_outcome(TlSpan *out, const TlJsonNode *node);
static const char *read_hashes(TlSpan *out, const TlJsonNode *node);
static const char *read_number(uint64_t *out, const TlJsonNode *node);
static const char *read_columns(Reading *reading, const TlJsonNode *node);
static const TlJsonNode *find_child(const TlJsonNode *node, const char *key);
static bool decode_hex(uint8_t *out, TlSpan text);
static int	hex_value(uint8_t digit);
static Writing writing_of(TlBundleLevel level, const void *part);
static void write_object(TlWriter *writer, const Writing *writing,
						 const char *base, const Shape *shape);
static void write_fields(TlWriter *writer, const Writing *writing,
						 const char *base, const Shape *shape, size_t first,
						 size_t end);
static bool is_absent(const Field *field, const char *source);
static void write_field(TlWriter *writer, const Writing *writing,
						const char *base, const Field *field);
static void write_number(TlWriter *writer, uint64_t number);
static void write_columns(TlWriter *writer, const Writing *writing);
static void write_hashes(TlWriter *writer, TlSpan hashes);
static void write_hex(TlWriter *writer, TlSpan bytes);
static void write_string(TlWriter *writer, TlSpan text);
static void write_text(TlWriter *writer, const char *text);

const char *
tl_proof_json_read(TlReceipt *out, TlReceiptColumn *columns,
				   const TlJsonNode *root)
{
	Reading		reading = {&out->has_definition, columns, &out->column_count,
	&out->columns};

	memset(out, 0, sizeof(*out));
	return read_object(&reading, (char *) out, root, &receipt_shape);
}

const char *
tl_proof_json_consistency(TlConsistency *out, const TlJsonNode *root)
{
	Reading		reading = {NULL, NULL, NULL, NULL};
	const char *problem;

	memset(out, 0, sizeof(*out));
	problem = read_object(&reading, (char *) out, root, &consistency_shape);
	if (problem == NULL && (out->old_size == 0 || out->new_size == 0))
		problem = "a tree head of size 0 proves nothing";
	return problem;
}

bool
tl_proof_json_is_bundle(const TlJsonNode *root)
{
	const TlJsonNode *format;

	if (root->kind != TL_JSON_OBJECT)
		return false;
	format = find_child(root, "format");
	return format != NULL && is_text(format, TL_RECEIPTS_FORMAT);
}

const char *
tl_proof_json_part(void *out, TlBundleLevel level, const TlJsonNode *node)
{
	Reading		reading = {NULL, NULL, NULL, NULL};

	memset(out, 0, level_sizes[level]);
	if (level == TL_BUNDLE_SECTION)
		reading.has_definition = &((TlBundleSection *) out)->has_definition;
	return read_object(&reading, out, node, &level_shapes[level]);
}

const char *
tl_proof_json_row(TlBundleRow *out, TlReceiptColumn *columns,
				  const TlJsonNode *node)
{
	Reading		reading = {NULL, columns, &out->column_count, &out->columns};

	memset(out, 0, sizeof(*out));
	return read_object(&reading, (char *) out, node, &bundle_row_shape);
}

void
tl_proof_json_write(TlWriter *writer, const TlReceipt *receipt)
{
	Writing		writing = {receipt->has_definition, receipt->column_count,
	receipt->columns};

	write_object(writer, &writing, (const char *) receipt, &receipt_shape);
}

void
tl_proof_json_open(TlWriter *writer, const char *before, TlBundleLevel level,
				   const void *part)
{
	const Shape *shape = &level_shapes[level];
	Writing		writing = writing_of(level, part);
	size_t		end = 0;

	while (shape->fields[end].kind != FIELD_LIST &&
		   shape->fields[end].kind != FIELD_FOREST)
		end++;
	write_text(writer, before);
	write_fields(writer, &writing, part, shape, 0, end);
	if (shape->fields[end].kind == FIELD_FOREST)
		return;
	write_text(writer, ", \"");
	write_text(writer, shape->fields[end].key);
	write_text(writer, "\": [");
}

void
tl_proof_json_close(TlWriter *writer, TlBundleLevel level, const void *part)
{
	const Shape *shape = &level_shapes[level];
	Writing		writing = writing_of(level, part);
	size_t		first = 0;

	while (first < shape->count && shape->fields[first].kind != FIELD_LIST)
		first++;
	if (first < shape->count)
	{
		write_text(writer, "]");
		write_fields(writer, &writing, part, shape, first + 1, shape->count);
	}
	write_text(writer, "}");
}

void
tl_proof_json_put_row(TlWriter *writer, const char *before,
					  const TlBundleRow *row)
{
	Writing		writing = {false, row->column_count, row->columns};

	write_text(writer, before);
	write_object(writer, &writing, (const char *) row, &bundle_row_shape);
}

static Writing
writing_of(TlBundleLevel level, const void *part)
{
	Writing		writing = {false, 0, NULL};

	if (level == TL_BUNDLE_SECTION)
		writing.has_definition = ((const TlBundleSection *) part)->has_definition;
	return writing;
}

/* Each key once: as many as listed, and each of those there that has to be. */
static const char *
read_object(Reading *reading, char *base, const TlJsonNode *node,
			const Shape *shape)
{
	size_t		count = shape->count;

	if (node->kind != TL_JSON_OBJECT)
		return "an object is missing";
	for (size_t i = 0; i < shape->count; i++)
		count -= (may_be_absent(&shape->fields[i]) &&
				  find_child(node, shape->fields[i].key) == NULL);
	if (node->count != count)
		return "an object has a key too many or too few";
	for (size_t i = 0; i < shape->count; i++)
	{
		const TlJsonNode *child = find_child(node, shape->fields[i].key);
		const char *problem;

		if (child == NULL && may_be_absent(&shape->fields[i]))
			continue;
		if (child == NULL)
			return "an object has an unknown key";
		problem = read_field(reading, base, child, &shape->fields[i]);
		if (problem != NULL)
			return problem;
	}
	return NULL;
}

static bool
may_be_absent(const Field *field)
{
	return field->kind == FIELD_OPTIONAL || field->kind == FIELD_EPOCHS ||
		field->kind == FIELD_OUTCOME;
}

static const char *
read_field(Reading *reading, char *base, const TlJsonNode *node,
		   const Field *field)
{
	char	   *target = base + field->offset;

	switch (field->kind)
	{
		case FIELD_FORMAT:
			return read_format(node, TL_RECEIPT_FORMAT,
							   "this is not a receipt of format 1");
		case FIELD_BUNDLE_FORMAT:
			return read_format(node, TL_RECEIPTS_FORMAT,
							   "these are not receipts of format 1");
		case FIELD_STRING:
			return read_string((TlSpan *) target, node);
		case FIELD_HEX:
			return read_hex((TlSpan *) target, node);
		case FIELD_HASHES:
			return read_hashes((TlSpan *) target, node);
		case FIELD_NUMBER:
			return read_number((uint64_t *) target, node);
		case FIELD_COLUMNS:
			return read_columns(reading, node);
		case FIELD_DEFINITION:
			*reading->has_definition = (node->kind != TL_JSON_NULL);
			if (node->kind == TL_JSON_NULL)
				return NULL;
			return read_object(reading, target, node, field->shape);
		case FIELD_DEFINITION_NUMBER:
			*reading->has_definition = (node->kind != TL_JSON_NULL);
			if (node->kind == TL_JSON_NULL)
				return NULL;
			return read_number((uint64_t *) target, node);
		case FIELD_FOREST:
			*(const TlJsonNode **) target = node;
			return NULL;
		case FIELD_LIST:
			if (node->kind != TL_JSON_ARRAY || node->count == 0)
				return "a list is missing or empty";
			*(const TlJsonNode **) target = node;
			return NULL;
		case FIELD_OBJECT:
			return read_object(reading, target, node, field->shape);
		case FIELD_OPTIONAL:
			*(bool *) target = true;
			return read_object(reading, target, node, field->shape);
		case FIELD_EPOCHS:
			return read_epochs((TlSpan *) target, node);
		case FIELD_OUTCOME:
			return read_outcome((TlSpan *) target, node);
	}
	return "a field of unknown kind";
}

static const char *
read_format(const TlJsonNode *node, const char *format, const char *problem)
{
	return is_text(node, format) ? NULL : problem;
}

static bool
is_text(const TlJsonNode *node, const char *text)
{
	return node->kind == TL_JSON_STRING && node->text.size == strlen(text) &&
		memcmp(node->text.data, text, node->text.size) == 0;
}

static const char *
read_string(TlSpan *out, const TlJsonNode *node)
{
	if (node->kind != TL_JSON_STRING)
		return "a string is missing";
	*out = node->text;
	return NULL;
}

static const char *
read_hex(TlSpan *out, const TlJsonNode *node)
{
	if (node->kind != TL_JSON_STRING || !decode_hex(node->room, node->text))
		return "a string of lower-case hex digits is missing";
	out->data = node->room;
	out->size = node->text.size / 2;
	return NULL;
}

/* One way to say that nothing has changed: no key. */
static const char *
read_epochs(TlSpan *out, const TlJsonNode *node)
{
	const char *problem = read_hex(out, node);

	if (problem == NULL && out->size == 0)
		problem = "no change of members is there where one should be";
	return problem;
}

/* And one to say nothing of an outcome. */
static const char *
read_outcome(TlSpan *out, const TlJsonNode *node)
{
	const char *problem = read_string(out, node);

	if (problem == NULL && out->size == 0)
		problem = "no outcome is there where one should be";
	return problem;
}

static const char *
read_hashes(TlSpan *out, const TlJsonNode *node)
{
	if (node->kind != TL_JSON_ARRAY)
		return "an array of hashes is missing";
	for (size_t i = 0; i < node->count; i++)
	{
		const TlJsonNode *child = &node->children[i];

		if (child->kind != TL_JSON_STRING ||
			child->text.size != 2 * TL_HASH_SIZE ||
			!decode_hex(node->room + i * TL_HASH_SIZE, child->text))
			return "a hash does not have 64 lower-case hex digits";
	}
	out->data = node->room;
	out->size = node->count * TL_HASH_SIZE;
	return NULL;
}

static const char *
read_number(uint64_t *out, const TlJsonNode *node)
{
	if (node->kind != TL_JSON_NUMBER || node->text.size == 0 ||
		node->text.size > 19 ||
		(node->text.size > 1 && node->text.data[0] == '0'))
		return "a whole number is missing";
	*out = 0;
	for (size_t i = 0; i < node->text.size; i++)
	{
		if (node->text.data[i] < '0' || node->text.data[i] > '9')
			return "a whole number is missing";
		*out = *out * 10 + (node->text.data[i] - '0');
	}
	if (*out > INT64_MAX)
		return "a number is too large";
	return NULL;
}

static const char *
read_columns(Reading *reading, const TlJsonNode *node)
{
	if (node->kind != TL_JSON_OBJECT)
		return "the row's columns are missing";
	if (node->count > TL_COLUMN_COUNT_MAX)
		return "the row has too many columns";
	for (size_t i = 0; i < node->count; i++)
	{
		const TlJsonNode *child = &node->children[i];
		TlReceiptColumn *column = &reading->columns[i];

		if (child->kind != TL_JSON_STRING && child->kind != TL_JSON_NULL)
			return "a column's value is neither a string nor null";
		memset(column, 0, sizeof(*column));
		column->name = child->key;
		column->is_null = (child->kind == TL_JSON_NULL);
		if (!column->is_null)
			column->text = child->text;
	}
	*reading->column_list = reading->columns;
	*reading->column_count = (uint32_t) node->count;
	return NULL;
}

static const TlJsonNode *
find_child(const TlJsonNode *node, const char *key)
{
	for (size_t i = 0; i < node->count; i++)
	{
		if (node->children[i].key.size == strlen(key) &&
			memcmp(node->children[i].key.data, key, strlen(key)) == 0)
			return &node->children[i];
	}
	return NULL;
}

static bool
decode_hex(uint8_t *out, TlSpan text)
{
	if (text.size % 2 != 0)
		return false;
	for (size_t i = 0; i < text.size; i += 2)
	{
		int			high = hex_value(text.data[i]);
		int			low = hex_value(text.data[i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i / 2] = (uint8_t) (high << 4 | low);
	}
	return true;
}

static int
hex_value(uint8_t digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return -1;
}

static void
write_object(TlWriter *writer, const Writing *writing, const char *base,
			 const Shape *shape)
{
	write_fields(writer, writing, base, shape, 0, shape->count);
	write_text(writer, "}");
}

static void
write_fields(TlWriter *writer, const Writing *writing, const char *base,
			 const Shape *shape, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
	{
		if (is_absent(&shape->fields[i], base + shape->fields[i].offset))
			continue;
		write_text(writer, i == 0 ? "{\"" : ", \"");
		write_text(writer, shape->fields[i].key);
		write_text(writer, "\": ");
		write_field(writer, writing, base, &shape->fields[i]);
	}
}

static bool
is_absent(const Field *field, const char *source)
{
	if (field->kind == FIELD_OPTIONAL)
		return !*(const bool *) source;
	return (field->kind == FIELD_EPOCHS || field->kind == FIELD_OUTCOME) &&
		((const TlSpan *) source)->size == 0;
}

static void
write_field(TlWriter *writer, const Writing *writing, const char *base,
			const Field *field)
{
	const char *source = base + field->offset;

	switch (field->kind)
	{
		case FIELD_FORMAT:
			write_text(writer, "\"" TL_RECEIPT_FORMAT "\"");
			break;
		case FIELD_BUNDLE_FORMAT:
			write_text(writer, "\"" TL_RECEIPTS_FORMAT "\"");
			break;
		case FIELD_STRING:
		case FIELD_OUTCOME:
			write_string(writer, *(const TlSpan *) source);
			break;
		case FIELD_HEX:
		case FIELD_EPOCHS:
			write_hex(writer, *(const TlSpan *) source);
			break;
		case FIELD_HASHES:
			write_hashes(writer, *(const TlSpan *) source);
			break;
		case FIELD_NUMBER:
			write_number(writer, *(const uint64_t *) source);
			break;
		case FIELD_COLUMNS:
			write_columns(writer, writing);
			break;
		case FIELD_DEFINITION:
			if (writing->has_definition)
				write_object(writer, writing, source, field->shape);
			else
				write_text(writer, "null");
			break;
		case FIELD_DEFINITION_NUMBER:
			if (writing->has_definition)
				write_number(writer, *(const uint64_t *) source);
			else
				write_text(writer, "null");
			break;
		case FIELD_OBJECT:
		case FIELD_OPTIONAL:
			write_object(writer, writing, source, field->shape);
			break;
		case FIELD_FOREST:
		case FIELD_LIST:
			break;				/* by the caller */
	}
}

static void
write_number(TlWriter *writer, uint64_t number)
{
	char		text[32];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	write_text(writer, text);
}

static void
write_columns(TlWriter *writer, const Writing *writing)
{
	write_text(writer, "{");
	for (uint32_t i = 0; i < writing->column_count; i++)
	{
		const TlReceiptColumn *column = &writing->columns[i];

		if (i > 0)
			write_text(writer, ", ");
		write_string(writer, column->name);
		write_text(writer, ": ");
		if (column->is_null)
			write_text(writer, "null");
		else
			write_string(writer, column->text);
	}
	write_text(writer, "}");
}

static void
write_hashes(TlWriter *writer, TlSpan hashes)
{
	write_text(writer, "[");
	for (size_t offset = 0; offset < hashes.size; offset += TL_HASH_SIZE)
	{
		TlSpan		hash = {hashes.data + offset, TL_HASH_SIZE};

		if (offset > 0)
			write_text(writer, ", ");
		write_hex(writer, hash);
	}
	write_text(writer, "]");
}

static void
write_hex(TlWriter *writer, TlSpan bytes)
{
	static const char digits[] = "0123456789abcdef";

	write_text(writer, "\"");
	for (size_t i = 0; i < bytes.size;)
	{
		char		text[256];
		size_t		size = 0;

		for (; i < bytes.size && size < sizeof(text); i++)
		{
			text[size++] = digits[bytes.data[i] >> 4];
			text[size++] = digits[bytes.data[i] & 15];
		}
		tl_put_bytes(writer, text, size);
	}
	write_text(writer, "\"");
}

/* RFC 8259 section 7, with the short escapes where there are some. */
static void
write_string(TlWriter *writer, TlSpan text)
{
	static const char escapes[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	write_text(writer, "\"");
	for (size_t i = 0; i < text.size; i++)
	{
		uint8_t		byte = text.data[i];
		const char *escape = escapes;
		char		code[8];

		while (*escape != '\0' && (uint8_t) *escape != byte)
			escape += 2;
		if (*escape != '\0')
		{
			write_text(writer, "\\");
			tl_put_u8(writer, escape[1]);
		}
		else if (byte < 0x20)
		{
			snprintf(code, sizeof(code), "\\u%04x", byte);
			write_text(writer, code);
		}
		else
			tl_put_u8(writer, byte);
	}
	write_text(writer, "\"");
}

static void
write_text(TlWriter *writer, const char *text)
{
	tl_put_bytes(writer, text, strlen(text));
}

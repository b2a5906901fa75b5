/*-------------------------------------------------------------------------
 *
 * unit_json.h
 *	  JSON text to nodes of proof_json.h, for texts that a test made itself.
 *
 * Understands what tl_proof_json_write and Python's json write; no \u escapes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UNIT_JSON_H
#define UNIT_JSON_H

#include "proof_json.h"

#include <stdlib.h>
#include <string.h>

#define UNIT_JSON_NODES_MAX	16384
#define UNIT_JSON_ROOM_MAX	(1024 * 1024)

static TlJsonNode unit_json_pool[UNIT_JSON_NODES_MAX];
static size_t unit_json_used;
static uint8_t unit_json_room[UNIT_JSON_ROOM_MAX];
static size_t unit_json_room_used;

static void unit_json_value(TlJsonNode *out, char **cursor);

static uint8_t *
unit_json_take(size_t size)
{
	uint8_t    *room = unit_json_room + unit_json_room_used;

	if (size > UNIT_JSON_ROOM_MAX - unit_json_room_used)
		abort();
	unit_json_room_used += size;
	return room;
}

static void
unit_json_blank(char **cursor)
{
	*cursor += strspn(*cursor, " \n");
}

/* Unescapes in place. */
static TlSpan
unit_json_string(char **cursor)
{
	char	   *write = ++*cursor;
	TlSpan		span = {(uint8_t *) write, 0};

	while (**cursor != '"')
	{
		if (**cursor == '\0')
			abort();
		if (**cursor == '\\')
		{
			static const char from[] = "\"\\bfnrt";
			static const char to[] = "\"\\\b\f\n\r\t";
			const char *escape = strchr(from, *++*cursor);

			if (escape == NULL)
				abort();
			**cursor = to[escape - from];
		}
		*write++ = *(*cursor)++;
	}
	++*cursor;
	span.size = (size_t) ((uint8_t *) write - span.data);
	return span;
}

static void
unit_json_children(TlJsonNode *out, char **cursor, char end)
{
	TlJsonNode	children[64];

	++*cursor;
	for (unit_json_blank(cursor); **cursor != end; unit_json_blank(cursor))
	{
		TlSpan		key = {NULL, 0};

		if (out->count == 64)
			abort();
		if (end == '}')
		{
			key = unit_json_string(cursor);
			++*cursor;
		}
		unit_json_blank(cursor);
		unit_json_value(&children[out->count], cursor);
		children[out->count++].key = key;
		*cursor += **cursor == ',';
	}
	++*cursor;
	if (unit_json_used + out->count > UNIT_JSON_NODES_MAX)
		abort();
	out->children = &unit_json_pool[unit_json_used];
	unit_json_used += out->count;
	memcpy(out->children, children, out->count * sizeof(TlJsonNode));
	out->room = unit_json_take(out->count * TL_HASH_SIZE);
}

static void
unit_json_value(TlJsonNode *out, char **cursor)
{
	memset(out, 0, sizeof(*out));
	out->kind = TL_JSON_OTHER;
	switch (**cursor)
	{
		case '{':
			out->kind = TL_JSON_OBJECT;
			unit_json_children(out, cursor, '}');
			break;
		case '[':
			out->kind = TL_JSON_ARRAY;
			unit_json_children(out, cursor, ']');
			break;
		case '"':
			out->kind = TL_JSON_STRING;
			out->text = unit_json_string(cursor);
			out->room = unit_json_take(out->text.size);
			break;
		case 'n':
			out->kind = TL_JSON_NULL;
			*cursor += 4;
			break;
		case 't':
			*cursor += 4;
			break;
		default:
			out->kind = TL_JSON_NUMBER;
			out->text.data = (uint8_t *) *cursor;
			out->text.size = strcspn(*cursor, ", }]");
			*cursor += out->text.size;
	}
}

/* Parse a text that stays in memory and is written over. */
static TlJsonNode
unit_json_parse(char *text)
{
	TlJsonNode	root;

	unit_json_used = 0;
	unit_json_room_used = 0;
	unit_json_value(&root, &text);
	return root;
}

#endif							/* UNIT_JSON_H */

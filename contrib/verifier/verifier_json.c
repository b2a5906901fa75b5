/*-------------------------------------------------------------------------
 *
 * verifier_json.c
 *	  JSON text, parsed by jansson, as the nodes that proof_json.h reads.
 *
 *-------------------------------------------------------------------------
 */
#include "verifier_json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_SIZE_MAX 24

static bool convert(TlJsonNode *out, json_t *json, int depth);
static bool convert_array(TlJsonNode *out, json_t *json, int depth);
static bool convert_object(TlJsonNode *out, json_t *json, int depth);
static bool convert_number(TlJsonNode *out, json_t *json);
static bool allocate_children(TlJsonNode *out, size_t count);
static void free_node(TlJsonNode *node);

const char *
verifier_json_parse(VerifierDocument *document, const char *text, size_t size)
{
	json_error_t error;

	memset(document, 0, sizeof(*document));
	document->json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	if (document->json == NULL)
		return "this is not a JSON document, or a key stands twice in an object";
	if (!convert(&document->root, document->json, 0))
		return "not enough memory";
	return NULL;
}

void
verifier_json_free(VerifierDocument *document)
{
	free_node(&document->root);
	json_decref(document->json);
	memset(document, 0, sizeof(*document));
}

/* False if there is no memory left. */
static bool
convert(TlJsonNode *out, json_t *json, int depth)
{
	memset(out, 0, sizeof(*out));
	out->kind = TL_JSON_OTHER;
	if (depth > TL_JSON_DEPTH_MAX)
		return true;
	switch (json_typeof(json))
	{
		case JSON_NULL:
			out->kind = TL_JSON_NULL;
			return true;
		case JSON_STRING:
			out->kind = TL_JSON_STRING;
			out->text.data = (const uint8_t *) json_string_value(json);
			out->text.size = json_string_length(json);
			out->room = malloc(out->text.size + 1);
			return out->room != NULL;
		case JSON_INTEGER:
			return convert_number(out, json);
		case JSON_ARRAY:
			return convert_array(out, json, depth);
		case JSON_OBJECT:
			return convert_object(out, json, depth);
		default:
			return true;
	}
}

static bool
convert_array(TlJsonNode *out, json_t *json, int depth)
{
	size_t		count = json_array_size(json);

	out->kind = TL_JSON_ARRAY;
	out->room = malloc(count * TL_HASH_SIZE + 1);
	if (out->room == NULL || !allocate_children(out, count))
		return false;
	for (size_t i = 0; i < count; i++)
	{
		if (!convert(&out->children[i], json_array_get(json, i), depth + 1))
			return false;
	}
	return true;
}

static bool
convert_object(TlJsonNode *out, json_t *json, int depth)
{
	TlJsonNode *child;
	const char *key;
	json_t	   *value;

	out->kind = TL_JSON_OBJECT;
	if (!allocate_children(out, json_object_size(json)))
		return false;
	child = out->children;
	json_object_foreach(json, key, value)
	{
		if (!convert(child, value, depth + 1))
			return false;
		child->key.data = (const uint8_t *) key;
		child->key.size = strlen(key);
		child++;
	}
	return true;
}

static bool
convert_number(TlJsonNode *out, json_t *json)
{
	out->kind = TL_JSON_NUMBER;
	out->room = malloc(NUMBER_SIZE_MAX);
	if (out->room == NULL)
		return false;
	out->text.data = out->room;
	out->text.size = (size_t) snprintf((char *) out->room, NUMBER_SIZE_MAX,
									   "%" JSON_INTEGER_FORMAT,
									   json_integer_value(json));
	return true;
}

/* Zeroed, so that a tree left half-way can be freed. */
static bool
allocate_children(TlJsonNode *out, size_t count)
{
	out->children = calloc(count + 1, sizeof(TlJsonNode));
	if (out->children == NULL)
		return false;
	out->count = count;
	return true;
}

static void
free_node(TlJsonNode *node)
{
	for (size_t i = 0; i < node->count; i++)
		free_node(&node->children[i]);
	free(node->children);
	free(node->room);
}

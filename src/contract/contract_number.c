/*-------------------------------------------------------------------------
 *
 * contract_number.c
 *	  Numbers in text, which releases of PostgreSQL read differently.
 *
 * Since 16 there are hexadecimal, octal and binary numbers, and underscores between
 * digits, in SQL and in text that is converted.  To a release before, 0x10 in a script
 * and '0x10'::integer in a call are errors, so a call could be done at some members
 * and fail at others.  Contracts have decimal numbers only.  Refused are
 *
 *		others in the text of a script, or of a function in PL/pgSQL
 *		literals that may be read as others, or as an array of them
 *		text that is converted when a call runs
 *
 * In place of the last there are ledger.to_bigint(text) and ledger.to_numeric(text), to
 * which a number is: blanks, a sign, digits, for numeric a fraction and an exponent, blanks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/keywords.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "parser/scanner.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "contract_number.h"

#define DIGITS			"0123456789"
#define BLANKS			" \t\n\r\f\v"

/* What stands around the values of an array, a range or a composite. */
#define AROUND_VALUES	"{}[](),\"\\" BLANKS

#define EXPONENT_DIGITS_MAX		5	/* no number has a larger one */

PG_FUNCTION_INFO_V1(tl_to_bigint);
PG_FUNCTION_INFO_V1(tl_to_numeric);

static bool is_new_word(const char *word, size_t size);
static size_t new_number(const char *text);
static size_t based(const char *text, const char *digits);
static size_t grouped(const char *text);
static bool constant_is_decimal(const Const *constant);
static bool is_decimal(const char *text, bool is_whole);
static char *decimal_text(Datum value, const char *type, bool is_whole);

/*
 * Offset of the first such number among the words of an SQL text, or of one in PL/pgSQL,
 * whose words are the same; -1: there is none.  Nothing else begins with a digit.
 */
int
tl_contract_number_in_source(const char *source)
{
	core_yy_extra_type extra;
	core_YYSTYPE value;
	YYLTYPE		place;
	core_yyscan_t scanner = scanner_init(source, &extra, &ScanKeywords, ScanKeywordTokens);
	int			found = -1;

	while (found < 0 && core_yylex(&value, &place, scanner) != 0)
		if (new_number(source + place) > 0)
			found = place;
	scanner_finish(scanner);
	return found;
}

/* May the literal be read as one, or as an array, a range or a composite with one? */
bool
tl_contract_number_in_literal(const char *literal)
{
	const char *begin = literal + strspn(literal, BLANKS);
	size_t		size = strcspn(begin, BLANKS);

	if (*begin == '\0' || strchr("{[(", *begin) == NULL)
		return begin[size + strspn(begin + size, BLANKS)] == '\0' && is_new_word(begin, size);
	while (*begin != '\0')
	{
		begin += strspn(begin, AROUND_VALUES);
		size = strcspn(begin, AROUND_VALUES);
		if (is_new_word(begin, size))
			return true;
		begin += size;
	}
	return false;
}

/* A number with its sign, and nothing behind it. */
static bool
is_new_word(const char *word, size_t size)
{
	size_t		sign = *word == '+' || *word == '-';
	size_t		number = new_number(word + sign);

	return number > 0 && sign + number == size;
}

/* How long the number is that begins here, if it is none before 16; 0: no such one. */
static size_t
new_number(const char *text)
{
	size_t		size;

	if (*text == '0' && text[1] != '\0' && strchr("xXoObB", text[1]) != NULL)
		return based(text, text[1] == 'x' || text[1] == 'X' ? DIGITS "abcdefABCDEF" :
					 text[1] == 'o' || text[1] == 'O' ? "01234567" : "01");
	if (!isdigit((unsigned char) *text) && !(*text == '.' && isdigit((unsigned char) text[1])))
		return 0;
	size = grouped(text);
	if (text[size] == '.' && text[size + 1] != '.')
		size += 1 + grouped(text + size + 1);
	if (text[size] == 'e' || text[size] == 'E')
	{
		size_t		sign = text[size + 1] == '+' || text[size + 1] == '-';

		if (isdigit((unsigned char) text[size + 1 + sign]))
			size += 1 + sign + grouped(text + size + 1 + sign);
	}
	return memchr(text, '_', size) != NULL ? size : 0;
}

/* 0x10 and the like, with underscores before digits. */
static size_t
based(const char *text, const char *digits)
{
	size_t		size = 2;

	for (;;)
	{
		size_t		underscore = text[size] == '_';
		size_t		run = strspn(text + size + underscore, digits);

		if (run == 0)
			return size > 2 ? size : 0;
		size += underscore + run;
	}
}

/* Digits with underscores between them. */
static size_t
grouped(const char *text)
{
	size_t		size = strspn(text, DIGITS);

	while (size > 0 && text[size] == '_' && isdigit((unsigned char) text[size + 1]))
		size += 1 + strspn(text + size + 1, DIGITS);
	return size;
}

/*
 * Is text converted to a number, which is not known to be a decimal one?  What JSON has
 * as a number is one.
 */
bool
tl_contract_number_from_text(Node *node)
{
	const CoerceViaIO *conversion = (const CoerceViaIO *) node;
	const Node *value;

	if (!IsA(node, CoerceViaIO))
		return false;
	switch (getBaseType(conversion->resulttype))
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
			break;
		default:
			return false;
	}
	value = (const Node *) conversion->arg;
	while (IsA(value, RelabelType))
		value = (const Node *) ((const RelabelType *) value)->arg;
	if (IsA(value, Const))
		return !constant_is_decimal((const Const *) value);
	return getBaseType(exprType(value)) != JSONBOID;
}

/* Or NULL. */
static bool
constant_is_decimal(const Const *constant)
{
	if (constant->constisnull)
		return true;
	switch (constant->consttype)
	{
		case UNKNOWNOID:
			return is_decimal(DatumGetCString(constant->constvalue), false);
		case TEXTOID:
		case VARCHAROID:
			return is_decimal(TextDatumGetCString(constant->constvalue), false);
		default:
			return false;
	}
}

/* Is it written in the way that all releases read alike? */
static bool
is_decimal(const char *text, bool is_whole)
{
	size_t		whole;
	size_t		fraction = 0;

	text += strspn(text, BLANKS);
	text += *text == '+' || *text == '-';
	whole = strspn(text, DIGITS);
	text += whole;
	if (!is_whole && *text == '.')
	{
		fraction = strspn(text + 1, DIGITS);
		text += 1 + fraction;
	}
	if (whole + fraction == 0)
		return false;
	if (!is_whole && (*text == 'e' || *text == 'E'))
	{
		size_t		exponent;

		text++;
		text += *text == '+' || *text == '-';
		exponent = strspn(text, DIGITS);
		if (exponent == 0 || exponent > EXPONENT_DIGITS_MAX)
			return false;
		text += exponent;
	}
	return text[strspn(text, BLANKS)] == '\0';
}

Datum
tl_to_bigint(PG_FUNCTION_ARGS)
{
	return DirectFunctionCall1(int8in, CStringGetDatum(decimal_text(PG_GETARG_DATUM(0), "bigint", true)));
}

Datum
tl_to_numeric(PG_FUNCTION_ARGS)
{
	return DirectFunctionCall3(numeric_in, CStringGetDatum(decimal_text(PG_GETARG_DATUM(0), "numeric", false)),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

static char *
decimal_text(Datum value, const char *type, bool is_whole)
{
	char	   *number = TextDatumGetCString(value);

	if (!is_decimal(number, is_whole))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				errmsg("invalid input syntax for type %s: \"%s\"", type, number));
	return number;
}

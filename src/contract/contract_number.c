/*-------------------------------------------------------------------------
 *
 * contract_number.c
 *	  Numbers in text, which releases of PostgreSQL read differently.
 *
 * Since 16 there are hexadecimal, octal and binary numbers, and underscores between
 * digits, in SQL and in text that is converted.  To a release before, 0x10 in a script
 * and '0x10'::integer in a call are errors, and a member's call could be one at some
 * members and done at others.  So contracts have decimal numbers only:
 *
 *		in the text of a script or of a function in PL/pgSQL		refused
 *		in a literal that may be read as a number or an array		refused
 *		text that is converted when a call runs						refused, but for
 *		ledger.to_bigint(text), ledger.to_numeric(text), which read it alike everywhere
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/keywords.h"
#include "fmgr.h"
#include "nodes/primnodes.h"
#include "parser/scanner.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "contract_number.h"

/* What only newer releases take, in whatever is a number to one of them. */
#define NOT_DECIMAL		"_xXoObB"
#define OF_NUMBERS		"0123456789abcdefABCDEFxXoO_.+-"

/* What stands around the values of an array, a range or a composite. */
#define BLANKS			" \t\n\r\f\v"
#define AROUND_VALUES	"{}[](),\"\\" BLANKS

PG_FUNCTION_INFO_V1(tl_to_bigint);
PG_FUNCTION_INFO_V1(tl_to_numeric);

static bool is_new_number(const char *text);
static bool is_new_word(const char *text, size_t size);
static char *decimal_text(Datum value, const char *type);

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
		if (is_new_number(source + place))
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

/* A word with its sign, and nothing else in it. */
static bool
is_new_word(const char *text, size_t size)
{
	if (size == 0 || strspn(text, OF_NUMBERS) < size)
		return false;
	return is_new_number(text + (*text == '+' || *text == '-'));
}

/* Does a number begin here that is none before 16? */
static bool
is_new_number(const char *text)
{
	const char *digits = "0123456789";

	if (*text == '0' && text[1] != '\0' && strchr("xXoObB", text[1]) != NULL)
		return isxdigit((unsigned char) text[2]) || text[2] == '_';
	if (!isdigit((unsigned char) *text) && !(*text == '.' && isdigit((unsigned char) text[1])))
		return false;
	text += strspn(text, digits);
	if (*text == '.' && text[1] != '.')
		text += 1 + strspn(text + 1, digits);
	if (*text == 'e' || *text == 'E')
	{
		text++;
		text += *text == '+' || *text == '-';
		text += strspn(text, digits);
	}
	return *text == '_' && isdigit((unsigned char) text[1]);
}

/* Is text converted to a number, which is not known to be a decimal one? */
bool
tl_contract_number_from_text(Node *node)
{
	const CoerceViaIO *conversion = (const CoerceViaIO *) node;
	const Node *value;
	const Const *constant;

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
	if (!IsA(value, Const))
		return true;
	constant = (const Const *) value;
	if (constant->constisnull)
		return false;
	if (constant->consttype == UNKNOWNOID)
		return strpbrk(DatumGetCString(constant->constvalue), NOT_DECIMAL) != NULL;
	if (constant->consttype != TEXTOID && constant->consttype != VARCHAROID)
		return true;
	return strpbrk(TextDatumGetCString(constant->constvalue), NOT_DECIMAL) != NULL;
}

Datum
tl_to_bigint(PG_FUNCTION_ARGS)
{
	return DirectFunctionCall1(int8in, CStringGetDatum(decimal_text(PG_GETARG_DATUM(0), "bigint")));
}

Datum
tl_to_numeric(PG_FUNCTION_ARGS)
{
	return DirectFunctionCall3(numeric_in, CStringGetDatum(decimal_text(PG_GETARG_DATUM(0), "numeric")),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

/* No number before 16 has one of these. */
static char *
decimal_text(Datum value, const char *type)
{
	char	   *number = TextDatumGetCString(value);

	if (strpbrk(number, NOT_DECIMAL) != NULL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				errmsg("invalid input syntax for type %s: \"%s\"", type, number));
	return number;
}

/*-------------------------------------------------------------------------
 *
 * verifier.c
 *	  Check receipts without a database.
 *
 *		telco_verifier [--checkpoint FILE [--consistency FILE]] [--quiet] RECEIPT
 *
 * RECEIPT is the document of ledger.receipt() or of ledger.receipts().
 *
 * Exit status: 0 valid, 1 not valid, 2 wrong usage or unreadable files.
 * The verdict is that of ledger.verify_receipt() and ledger.verify_receipts():
 * they run the same proof_check.c and proof_bundle.c.
 *
 *-------------------------------------------------------------------------
 */
#include "verifier_json.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_VALID		0
#define EXIT_INVALID	1
#define EXIT_USAGE		2

/* What the command line says, and what it names. */
typedef struct Options
{
	const char *checkpoint_path;
	const char *consistency_path;
	bool		quiet;
	TlCheckpoint checkpoint;
	TlConsistency consistency;
	VerifierDocument consistency_document;	/* which the hashes are in */
} Options;

/* Verdicts on the rows of one document. */
typedef struct Tally
{
	const Options *options;
	const TlProofChain *chain;
	unsigned long long valid;
	unsigned long long invalid;
	unsigned long long defined; /* of these by another member than the row's */
	unsigned long long rejected;
	unsigned long long open;	/* not certified whether they were */
	TlTrust		trust;			/* the weakest */
} Tally;

static int	usage(FILE *out);
static char *read_file(const char *path, size_t *size, size_t size_max);
static int	read_checkpoint(TlCheckpoint *out, const char *path);
static int	read_consistency(Options *options);
static int	check(const Options *options, const char *text, size_t size);
static bool check_one(const Options *options, const TlJsonNode *root);
static bool check_many(const Options *options, const TlJsonNode *root);
static void tally_row(void *context, const TlBundleVerdict *verdict);
static void print_one(const TlReceipt *receipt, const TlVerdict *verdict);
static void print_ledger(const TlHash *chain_id, bool is_test);
static void print_before(const TlHash *chain_id, uint64_t height);
static void print_changes(uint64_t count);
static void print_hash(const TlHash *hash);
static void print_row(const TlReceiptColumn *columns, uint32_t count);
static void print_trust(const Options *options, TlTrust trust, uint64_t height);
static void print_printable(TlSpan text);

int
main(int argc, char **argv)
{
	static const struct option names[] = {
		{"checkpoint", required_argument, NULL, 'c'},
		{"consistency", required_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{"quiet", no_argument, NULL, 'q'},
		{NULL, 0, NULL, 0}
	};
	static Options options;
	char	   *text;
	size_t		size;
	int			option;
	int			status = EXIT_VALID;

	while ((option = getopt_long(argc, argv, "c:p:hq", names, NULL)) != -1)
	{
		if (option == 'c')
			options.checkpoint_path = optarg;
		else if (option == 'p')
			options.consistency_path = optarg;
		else if (option == 'q')
			options.quiet = true;
		else if (option == 'h')
		{
			usage(stdout);
			return EXIT_SUCCESS;
		}
		else
			return usage(stderr);
	}
	if (argc - optind != 1 ||
		(options.consistency_path != NULL && options.checkpoint_path == NULL))
		return usage(stderr);
	if (options.checkpoint_path != NULL)
		status = read_checkpoint(&options.checkpoint, options.checkpoint_path);
	if (status == EXIT_VALID && options.consistency_path != NULL)
		status = read_consistency(&options);
	if (status != EXIT_VALID)
		return status;
	text = read_file(argv[optind], &size, TL_RECEIPT_SIZE_MAX);
	if (text == NULL)
		return EXIT_USAGE;
	status = check(&options, text, size);
	free(text);
	verifier_json_free(&options.consistency_document);
	return status;
}

static int
usage(FILE *out)
{
	fprintf(out,
			"usage: telco_verifier [--checkpoint FILE [--consistency FILE]] [--quiet] RECEIPT\n"
			"\n"
			"RECEIPT is the JSON document of ledger.receipt() or ledger.receipts(), - for\n"
			"standard input.\n"
			"--checkpoint names the text of ledger.tree_head() that you kept, --consistency\n"
			"a proof that leads from it to a receipt with another head, as JSON:\n"
			"{\"old_size\": 5, \"new_size\": 9, \"hashes\": [\"<hex>\", ...]}\n"
			"--quiet shows no rows of a document of ledger.receipts() that are valid.\n"
			"Exit status: 0 valid, 1 not valid, 2 wrong usage or unreadable files.\n");
	return EXIT_USAGE;
}

/* All of a file; NULL after a message. */
static char *
read_file(const char *path, size_t *size, size_t size_max)
{
	FILE	   *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	size_t		capacity = 65536;
	char	   *text = malloc(capacity);

	*size = 0;
	while (file != NULL && text != NULL)
	{
		char	   *larger;

		*size += fread(text + *size, 1, capacity - *size, file);
		if (*size < capacity)
			break;
		if (capacity > size_max)
		{
			fprintf(stderr, "telco_verifier: %s: larger than %zu bytes\n", path,
					size_max);
			free(text);
			return NULL;
		}
		capacity *= 2;
		larger = realloc(text, capacity);
		if (larger == NULL)
			free(text);
		text = larger;
	}
	if (file == NULL || text == NULL || ferror(file))
	{
		fprintf(stderr, "telco_verifier: %s: %s\n", path, strerror(errno));
		free(text);
		text = NULL;
	}
	if (file != NULL && file != stdin)
		fclose(file);
	return text;
}

static int
read_checkpoint(TlCheckpoint *out, const char *path)
{
	size_t		size;
	char	   *text = read_file(path, &size, TL_CHECKPOINT_SIZE_MAX);
	TlStatus	status;

	if (text == NULL)
		return EXIT_USAGE;
	status = tl_proof_checkpoint_decode(out, text, size);
	free(text);
	if (status == TL_OK)
		return EXIT_VALID;
	fprintf(stderr, "telco_verifier: %s: not a checkpoint: %s\n", path,
			tl_status_text(status));
	return EXIT_USAGE;
}

static int
read_consistency(Options *options)
{
	size_t		size;
	char	   *text = read_file(options->consistency_path, &size, TL_CHECKPOINT_SIZE_MAX);
	const char *problem;

	if (text == NULL)
		return EXIT_USAGE;
	problem = verifier_json_parse(&options->consistency_document, text, size);
	free(text);
	if (problem == NULL)
		problem = tl_proof_json_consistency(&options->consistency,
											&options->consistency_document.root);
	if (problem == NULL)
		return EXIT_VALID;
	fprintf(stderr, "telco_verifier: %s: not a consistency proof: %s\n",
			options->consistency_path, problem);
	return EXIT_USAGE;
}

static int
check(const Options *options, const char *text, size_t size)
{
	VerifierDocument document;
	const char *problem = verifier_json_parse(&document, text, size);
	bool		valid = false;

	if (problem != NULL)
		printf("NOT VALID: %s\n", problem);
	else if (tl_proof_json_is_bundle(&document.root))
		valid = check_many(options, &document.root);
	else
		valid = check_one(options, &document.root);
	verifier_json_free(&document);
	return valid ? EXIT_VALID : EXIT_INVALID;
}

static bool
check_one(const Options *options, const TlJsonNode *root)
{
	static TlReceiptColumn columns[TL_COLUMN_COUNT_MAX];
	TlReceipt	receipt;
	TlVerdict	verdict = {0};

	verdict.reason = tl_proof_json_read(&receipt, columns, root);
	if (verdict.reason == NULL)
		tl_proof_check(&verdict, &receipt,
					   options->checkpoint_path ? &options->checkpoint : NULL,
					   options->consistency_path ? &options->consistency : NULL);
	if (verdict.valid)
	{
		print_one(&receipt, &verdict);
		print_trust(options, verdict.trust, verdict.head_height);
	}
	else
		printf("NOT VALID: %s\n", verdict.reason);
	return verdict.valid;
}

/* The verdict on the whole is the last line: rows come as they are read. */
static bool
check_many(const Options *options, const TlJsonNode *root)
{
	static TlBundleChecker checker;
	Tally		tally = {.options = options,.chain = &checker.chain,.trust = TL_TRUST_CHECKPOINT};
	const char *problem;

	problem = tl_proof_bundle_check(&checker, root,
									options->checkpoint_path ? &options->checkpoint : NULL,
									options->consistency_path ? &options->consistency : NULL,
									tally_row, &tally);
	if (problem != NULL)
	{
		printf("NOT VALID: %s\n", problem);
		return false;
	}
	if (tally.invalid > 0)
	{
		printf("NOT VALID: %llu of %llu rows\n", tally.invalid,
			   tally.invalid + tally.valid);
		return false;
	}
	print_ledger(&checker.chain.chain_id,
				 checker.chain.genesis.purpose == TL_PURPOSE_TEST);
	if (checker.chain.restarted)
		print_before(&checker.chain.chain_before, checker.chain.height_before);
	print_changes(checker.chain.members.epoch);
	print_trust(options, tally.trust, checker.chain.head.height);
	if (tally.rejected > 0)
		printf("outcome: %llu rows were rejected by all members\n", tally.rejected);
	if (tally.open > 0)
		printf("outcome: of %llu rows it is not certified yet whether they were"
			   " rejected\n", tally.open);
	if (tally.defined > 0)
		printf("definition: the columns of %llu rows have their names from another"
			   " member's definition of a shared table\n", tally.defined);
	printf("valid: %llu rows: %s\n", tally.valid, tl_proof_trust_text(tally.trust));
	return true;
}

static void
tally_row(void *context, const TlBundleVerdict *verdict)
{
	Tally	   *tally = context;
	const Options *options = tally->options;

	if (!verdict->valid)
	{
		tally->invalid++;
		printf("NOT VALID: ");
		print_printable(verdict->row->ref);
		printf(": %s\n", verdict->reason);
		return;
	}
	tally->valid++;
	if (verdict->trust != TL_TRUST_CHECKPOINT)
		tally->trust = verdict->trust;
	if (verdict->definer.size > 0)
		tally->defined++;
	if (verdict->outcome == TL_OUTCOME_REJECTED)
		tally->rejected++;
	if (verdict->outcome == TL_OUTCOME_OPEN)
		tally->open++;
	if (options->quiet)
		return;
	printf("row: ");
	print_printable(verdict->row->ref);
	printf(" of ");
	print_printable(verdict->member);
	printf(" in ");
	print_printable(verdict->section->schema);
	printf(".");
	print_printable(verdict->section->table);
	printf(", block %" PRIu64 " of ", verdict->height);
	print_printable(verdict->time);
	if (verdict->outcome == TL_OUTCOME_REJECTED)
		printf(", rejected with SQLSTATE %s", verdict->sqlstate);
	printf("\n");
	print_row(verdict->row->columns, verdict->row->column_count);
}

static void
print_one(const TlReceipt *receipt, const TlVerdict *verdict)
{
	printf("valid: %s\n", verdict->reason);
	print_ledger(&verdict->chain_id, verdict->test);
	if (verdict->restarted)
		print_before(&verdict->chain_before, verdict->height_before);
	print_changes(verdict->changes);
	printf("member: ");
	print_printable(receipt->member);
	printf("\ntable: ");
	print_printable(receipt->schema);
	printf(".");
	print_printable(receipt->table);
	printf("\nref: %.*s\n", (int) receipt->ref.size, receipt->ref.data);
	printf("block: %" PRIu64 " of %.*s\n", verdict->height,
		   (int) receipt->time.size, receipt->time.data);
	if (verdict->definer.size > 0)
	{
		printf("columns named by: ");
		print_printable(verdict->definer);
		printf("\n");
	}
	print_row(receipt->columns, receipt->column_count);
}

static void
print_ledger(const TlHash *chain_id, bool is_test)
{
	printf("ledger: ");
	print_hash(chain_id);
	printf(is_test ? " (a test ledger)\n" : "\n");
}

static void
print_before(const TlHash *chain_id, uint64_t height)
{
	printf("restarted: after block %" PRIu64 " of ledger ", height);
	print_hash(chain_id);
	printf("\n");
}

/* Each of them a quorum of those before has certified. */
static void
print_changes(uint64_t count)
{
	if (count > 0)
		printf("changes of the members since genesis: %" PRIu64 "\n", count);
}

static void
print_hash(const TlHash *hash)
{
	for (int i = 0; i < TL_HASH_SIZE; i++)
		printf("%02x", hash->bytes[i]);
}

static void
print_trust(const Options *options, TlTrust trust, uint64_t height)
{
	if (trust == TL_TRUST_GENESIS)
		printf("trust: genesis only. This is what the founder says; compare the"
			   " chain id, and use --checkpoint to rule out a second history.\n");
	else if (trust == TL_TRUST_CHECKPOINT)
		printf("trust: your checkpoint at %" PRIu64 "\n", options->checkpoint.size);
	else
		printf("trust: your checkpoint at %" PRIu64 ", and the members that the history"
			   " from there to %" PRIu64 " is the only one\n",
			   options->checkpoint.size, height);
}

static void
print_row(const TlReceiptColumn *columns, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
	{
		printf("    ");
		print_printable(columns[i].name);
		if (columns[i].is_null)
			printf(" is null\n");
		else
		{
			printf(" = ");
			print_printable(columns[i].text);
			printf("\n");
		}
	}
}

/* A receipt comes from a stranger: nothing in it may move the cursor. */
static void
print_printable(TlSpan text)
{
	for (size_t i = 0; i < text.size; i++)
	{
		bool		control = (text.data[i] < 0x20 || text.data[i] == 0x7f ||
							   (text.data[i] == 0xc2 && i + 1 < text.size &&
								text.data[i + 1] < 0xa0));

		if (control)
			printf("\\x%02x", text.data[i]);
		else
			putchar(text.data[i]);
	}
}

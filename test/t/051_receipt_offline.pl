# A receipt leaves the server and is checked without it: telco_verifier and
# ledger.verify_receipt() give the same verdict, on the receipt and on changed
# ones, with and without a tree head that somebody kept.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use LedgerCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = LedgerCluster->new_node('origin', purpose => 'test');
my $other = LedgerCluster->new_server('auditor');
my $verifier = $node->config_data('--bindir') . '/telco_verifier';
my $directory = PostgreSQL::Test::Utils::tempdir();

plan skip_all => "$verifier is not installed" unless -x $verifier;

$other->create_extension;
$node->safe_psql('postgres', <<'END');
CREATE TABLE cdr (id integer, msisdn text, charge numeric(10,2)) USING ledger;
INSERT INTO cdr SELECT i, '+33600' || i, i * 1.5 FROM generate_series(1, 600) AS i;
END
$node->wait_final_all;
my $newest_head = tree_head();
my $newest = receipt('id = 300');

for my $i (1 .. 5)
{
	$node->safe_psql('postgres', "INSERT INTO cdr VALUES (1000 + $i, NULL, $i)");
	$node->wait_final_all;
}
my $head = tree_head();
my $receipt = receipt('id = 300');
my $size = (split /\n/, $head)[1];

# Both must agree on a text.
is(verdict($receipt), 'valid', 'a receipt is valid');
is(verdict($newest), 'valid', 'one whose block was the newest is valid');
like(output($receipt), qr/^ledger: [0-9a-f]{64} \(a test ledger\)$/m, 'the ledger is named');
like(output($receipt), qr/^    msisdn = \+33600300$/m, 'the row is shown');
like(output($receipt), qr/^trust: genesis only/m, 'and what the verdict rests on');

# Tree heads.
is(status($receipt, $head), 0, 'it leads to the tree head of the same time');
like(output($receipt, $head), qr/^trust: your checkpoint at $size$/m, 'which is said');
is(status($newest, $head), 1, 'an older receipt cannot be compared with a newer head');
is(status($newest, $newest_head), 1, 'the newest block is not below the newest head');
like(output($newest, $newest_head), qr/newer than the checkpoint/, 'which is said');
is(status(receipt('id = 300', $size - 2), $head), 1, 'nor one that was made for a smaller head');
$node->safe_psql('postgres', 'INSERT INTO cdr VALUES (2000, NULL, NULL)');
$node->wait_final_all;
is(status(receipt('id = 300'), $head), 1, 'the head has moved on');
is(status(receipt('id = 300', $size), $head), 0, 'a receipt can be made for a kept head');

# A fork: the same size, another root.
my @lines = split /\n/, $head;
$lines[2] = ($lines[2] =~ /^A/ ? 'B' : 'A') . substr($lines[2], 1);
is(status($receipt, join("\n", @lines) . "\n"), 1, 'a tree head of another history is noticed');
like(output($receipt, join("\n", @lines) . "\n"), qr/the chain was forked/, 'and called a fork');

# Bits of the text that the server gave, all over it.
my @wrong;
my $seed = 12345;
for my $i (1 .. 400)
{
	$seed = ($seed * 1103515245 + 12345) % 2147483648;
	my $bit = $seed % (8 * length $receipt);
	my $changed = $receipt;

	substr($changed, $bit / 8, 1) = chr(ord(substr($changed, $bit / 8, 1)) ^ (1 << $bit % 8));
	push @wrong, $bit unless status($changed) == 1;
}
is("@wrong", '', '400 changed bits are refused');

# Changes that are JSON still: the server says the same as the program.
for my $change (
	[ qr/"charge": "450.00"/ => '"charge": "450.01"' ],
	[ qr/"msisdn": "/ => '"msisdn": "+' ],
	[ qr/"height": \d+/ => '"height": 0' ],
	[ qr/"purpose": "test"/ => '"purpose": "production"' ],
	[ qr/"table": "cdr"/ => '"table": "cdr2"' ],
	[ qr/"index": (\d+)/ => '"index": 7' ],
	[ qr/"certificate": "01/ => '"certificate": "02' ],
	[ qr/"definition": \{/ => '"definition": null, "other": {' ])
{
	my $changed = $receipt;

	ok($changed =~ s/$change->[0]/$change->[1]/, "$change->[1] can be put in");
	is(verdict($changed), 'not valid', 'and makes the receipt invalid');
}

# Many rows in one document: the same.
my $receipts = $node->safe_psql('postgres', "SELECT ledger.receipts('cdr', array_agg(ledger_ref), $size) FROM cdr WHERE id IN (1, 2, 255, 300, 600, 1001, 1002)");
is(verdict($receipts), 'valid', 'receipts of many rows are valid');
like(output($receipts), qr/^valid: 7 rows/m, 'all of them');
is(status($receipts, $head), 0, 'they lead to the tree head that was kept');
@wrong = ();
for my $i (1 .. 400)
{
	$seed = ($seed * 1103515245 + 12345) % 2147483648;
	my $bit = $seed % (8 * length $receipts);
	my $changed = $receipts;

	substr($changed, $bit / 8, 1) = chr(ord(substr($changed, $bit / 8, 1)) ^ (1 << $bit % 8));
	push @wrong, $bit unless status($changed) == 1;
}
is("@wrong", '', '400 changed bits are refused there as well');
for my $change (
	[ qr/"charge": "450.00"/ => '"charge": "450.01"' ],
	[ qr/"height": \d+/ => '"height": 0' ],
	[ qr/"definition": 0/ => '"definition": null' ],
	[ qr/"index": 299/ => '"index": 298' ],
	[ qr/"history": \["/ => '"history": ["00' ],
	[ qr/"certificate": "01/ => '"certificate": "02' ])
{
	my $changed = $receipts;

	ok($changed =~ s/$change->[0]/$change->[1]/, "$change->[1] can be put in");
	is(verdict($changed), 'not valid', 'and makes the receipts invalid');
}

# Tree heads of another size, connected by a consistency proof.
my $newer = tree_head();
my $newer_size = (split /\n/, $newer)[1];
my $proof = consistency($size, $newer_size);
my $latest = receipt('id = 2000');
is(status($receipt, $newer), 1, 'a newer tree head cannot be compared');
is(status($receipt, $newer, $proof), 0, 'but through a consistency proof');
is(status($receipts, $newer, $proof), 0, 'many receipts likewise');
is(status($latest, $head, $proof), 0, 'nor an older one');
like(output($latest, $head, $proof), qr/^trust: your checkpoint at $size, and the members/m, 'where the row is newer, it is said');
is(status($latest, $newer, $proof), 1, 'a proof between others is refused');
is(status($receipt, $newer, consistency($size - 1, $newer_size)), 1, 'as is one from another head');
is(status($receipt, join("\n", $newer =~ /(.*)\n(.*)\n/, $lines[2]) . "\n", $proof), 1, 'and a fork');
for my $kept ([ $receipt, $newer, 't' ], [ $latest, $head, 't' ], [ $latest, $newer, 'f' ])
{
	is($other->safe_psql('postgres', "SELECT valid FROM ledger.verify_receipt(\$r\$$kept->[0]\$r\$, '$kept->[1]', '"
		. $node->safe_psql('postgres', "SELECT ledger.consistency_proof($size, $newer_size)") . "')"),
		$kept->[2], 'the server says the same');
}

done_testing();

# As README.md of contrib/verifier makes it.
sub consistency
{
	my ($old, $new) = @_;

	return $node->safe_psql('postgres', "SELECT json_build_object('old_size', $old, 'new_size', $new,
		'hashes', (SELECT coalesce(json_agg(encode(h, 'hex')), '[]')
		             FROM unnest(ledger.consistency_proof($old, $new)) AS h))");
}

sub tree_head
{
	return $node->safe_psql('postgres', 'SELECT ledger.tree_head()') . "\n";
}

sub receipt
{
	my ($where, $at) = @_;
	my $argument = defined $at ? ", $at" : '';

	return $node->safe_psql('postgres', "SELECT ledger.receipt('cdr', ledger_ref$argument) FROM cdr WHERE $where");
}

sub run_verifier
{
	my ($text, $kept, $proof) = @_;
	my @command = ($verifier);
	my ($out, $err);

	write_file("$directory/receipt.$$", $text);
	if (defined $kept)
	{
		write_file("$directory/head.$$", $kept);
		push @command, '--checkpoint', "$directory/head.$$";
	}
	if (defined $proof)
	{
		write_file("$directory/proof.$$", $proof);
		push @command, '--consistency', "$directory/proof.$$";
	}
	IPC::Run::run([ @command, "$directory/receipt.$$" ], '>', \$out, '2>', \$err);
	return ($? >> 8, $out . $err);
}

sub write_file
{
	my ($name, $content) = @_;

	open my $file, '>:raw', $name or die "$name: $!";
	print $file $content;
	close $file or die "$name: $!";
	return;
}

sub status { return (run_verifier(@_))[0]; }
sub output { return (run_verifier(@_))[1]; }

# 'valid' or 'not valid', and how they differ if they do.  The server asked is
# no node.
sub verdict
{
	my ($text) = @_;
	my $program = status($text) == 0 ? 'valid' : 'not valid';
	my $server = $other->safe_psql('postgres',
		"SELECT CASE WHEN bool_and(valid) THEN 'valid' ELSE 'not valid' END FROM ledger.verify_receipts(\$receipt\$$text\$receipt\$)");

	return $program eq $server ? $program : "the program says $program, the server $server";
}

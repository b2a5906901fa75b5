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

done_testing();

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
	my ($text, $kept) = @_;
	my @command = ($verifier);
	my ($out, $err);

	write_file("$directory/receipt.$$", $text);
	if (defined $kept)
	{
		write_file("$directory/head.$$", $kept);
		push @command, '--checkpoint', "$directory/head.$$";
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
		"SELECT CASE WHEN valid THEN 'valid' ELSE 'not valid' END FROM ledger.verify_receipt(\$receipt\$$text\$receipt\$)");

	return $program eq $server ? $program : "the program says $program, the server $server";
}

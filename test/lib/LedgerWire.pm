# Several clusters that are members of one test ledger, each with its wire.
#
#	my $wires = LedgerWire->new(3);		# members 1 to 3, linked to each other
#	my $wires = LedgerWire->new(3, link => 0, conf => '...');
#	$wires->node(2)				the LedgerCluster of member 2
#	$wires->sql(2, $query)		in its ledger database
#	$wires->wire(2, $query)		in its wire database
#	$wires->insert(2, $count)	rows of its ledger table, in batches of one
#	$wires->agree($test_name)	waits until everybody keeps everybody's log, and
#								compares all of them byte by byte
package LedgerWire;

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use LedgerCluster;

use constant WIRE => 'postgres_wire';

my $conf = <<'END';
max_slot_wal_keep_size = '1GB'
max_worker_processes = 32
max_logical_replication_workers = 16
max_replication_slots = 24
max_wal_senders = 24
wal_retrieve_retry_interval = '200ms'
END

sub new
{
	my ($class, $count, %param) = @_;
	my $self = bless { count => $count, nodes => [] }, $class;
	my (@keys, @names);

	foreach my $member (1 .. $count)
	{
		my $node = LedgerCluster->new_server("member$member",
			allows_streaming => 'logical', conf => $conf . ($param{conf} // ''));

		$node->create_extension;
		push @{ $self->{nodes} }, $node;
		push @names, "member$member";
		push @keys, $node->safe_psql('postgres', 'SELECT ledger_internal.make_key()');
	}
	$self->{keys} = \@keys;
	$self->found($_) foreach (1 .. $count);
	if ($param{link} // 1)
	{
		foreach my $member (1 .. $count)
		{
			$self->introduce($member, $_) foreach (grep { $_ != $member } 1 .. $count);
		}
	}
	return $self;
}

# Make its database a node of the common chain.
sub found
{
	my ($self, $member) = @_;
	my $names = join ',', map { "'member$_'" } 1 .. $self->{count};
	my $keys = join ',', map { "'$_'::bytea" } @{ $self->{keys} };

	$self->sql($member, "SELECT ledger_internal.create_member(ARRAY[$names], ARRAY[$keys], $member, '2026-01-01 00:00:00+00')");
	$self->sql($member, 'CREATE TABLE cdr (id bigint) USING ledger');
	return;
}

# Tell a member of another one.
sub introduce
{
	my ($self, $member, $peer, $address) = @_;
	my $key = $self->{keys}[ $peer - 1 ];

	$address //= $self->address($peer);
	$self->sql($member, "SELECT ledger_internal.set_peer($peer, '$key', '$address')");
	return;
}

sub address
{
	my ($self, $member) = @_;
	my $node = $self->node($member);

	return sprintf 'host=%s port=%d dbname=%s', $node->host, $node->port, WIRE;
}

sub count { return $_[0]{count} }
sub node { my ($self, $member) = @_; return $self->{nodes}[ $member - 1 ] }

sub sql
{
	my ($self, $member, $query) = @_;

	return $self->node($member)->safe_psql('postgres', $query);
}

sub wire
{
	my ($self, $member, $query) = @_;

	return $self->node($member)->safe_psql(WIRE, $query);
}

sub poll
{
	my ($self, $member, $query, $expected, $database) = @_;

	return $self->node($member)->poll_query_until($database // 'postgres', $query, $expected // 't');
}

sub insert
{
	my ($self, $member, $count) = @_;

	foreach (1 .. $count)
	{
		my $ref = $self->sql($member, "INSERT INTO cdr VALUES ($_) RETURNING ledger_ref");

		$self->sql($member, "SELECT ledger.wait_final('$ref')");
	}
	return;
}

# Both links of a member to a peer stream.
sub wait_streaming
{
	my ($self, $member, $peer) = @_;

	$self->poll($member, "SELECT log_link = 'streaming' AND body_link = 'streaming' FROM ledger.peer WHERE member = $peer")
	  or diag($self->sql($member, 'SELECT * FROM ledger.peer'));
	return;
}

sub own_log
{
	my ($self, $member) = @_;

	return $self->sql($member, 'SELECT seq, encode(message, \'hex\') FROM ledger_internal.own_log ORDER BY incarnation, seq');
}

# One test.  Members in @only, if given, are compared only.
sub agree
{
	my ($self, $name, @only) = @_;
	my @members = @only ? @only : (1 .. $self->count);
	my @wrong;

	foreach my $author (@members)
	{
		my $log = $self->own_log($author);
		my $last = $self->sql($author, 'SELECT max(seq) FROM ledger_internal.own_log');

		foreach my $member (grep { $_ != $author } @members)
		{
			if (!$self->poll($member, "SELECT max(seq) >= $last FROM ledger_internal.peer_log WHERE member = $author"))
			{
				push @wrong, "member $member lacks rows of $author";
				next;
			}
			push @wrong, "member $member keeps other rows of $author"
			  if $self->sql($member, "SELECT seq, encode(message, 'hex') FROM ledger_internal.peer_log WHERE member = $author AND seq <= $last ORDER BY nonce = repeat('\\000', 16)::bytea DESC, seq") ne $log;
		}
	}
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(join('; ', @wrong), '', $name)
	  || diag(map { $self->sql($_, 'SELECT * FROM ledger.peer') . "\n" } @members);
}

1;

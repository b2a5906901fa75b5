# Sockets between members that a test can cut: a process that carries bytes.
#
#	my $proxy = LedgerProxy->new([ [ 1, 2, '/dir/.s.PGSQL.5432' ], ... ]);
#								one listening port for each [ from, to, socket ]
#	$proxy->port(1, 2)			where member 1 finds member 2
#	$proxy->cut('close', [1, 2], ...)	these are closed, and refused from now on
#	$proxy->cut('hold', [1, 2], ...)	nothing is carried, and nobody is told
#	$proxy->heal				all are carried again; what was held as well
#	$proxy->stop
#
# The process reads which links are cut from a file, twenty times in a second.
package LedgerProxy;

use strict;
use warnings;

use Errno qw(EAGAIN EWOULDBLOCK EINTR);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

# What one direction holds before its source is read no further.
use constant HELD_MAX => 1 << 20;

sub new
{
	my ($class, $links) = @_;
	my $self = bless { file => PostgreSQL::Test::Utils::tempdir() . '/cuts', ports => {}, listeners => [] }, $class;

	foreach my $link (@$links)
	{
		my ($from, $to, $target) = @$link;
		my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16, Blocking => 0)
		  or die "could not listen: $!\n";

		$self->{ports}{"$from $to"} = $listener->sockport;
		push @{ $self->{listeners} }, { socket => $listener, name => "$from $to", target => $target };
	}
	$self->heal;
	$self->{pid} = fork // die "could not fork: $!\n";
	if ($self->{pid} == 0)
	{
		$SIG{PIPE} = 'IGNORE';
		$SIG{TERM} = sub { POSIX::_exit(0) };
		eval { $self->carry };
		POSIX::_exit(1);
	}
	$_->{socket}->close foreach (@{ $self->{listeners} });
	return $self;
}

sub port { my ($self, $from, $to) = @_; return $self->{ports}{"$from $to"} }

sub cut
{
	my ($self, $how, @links) = @_;
	my $temporary = "$self->{file}.new";

	open my $handle, '>', $temporary or die "could not write $temporary: $!\n";
	print $handle "$_->[0] $_->[1]=$how\n" foreach (@links);
	close $handle;
	rename $temporary, $self->{file} or die "could not rename $temporary: $!\n";
	return;
}

sub heal { return $_[0]->cut('close') }

sub stop
{
	my ($self) = @_;

	return if !defined $self->{pid};
	kill 'TERM', $self->{pid};
	waitpid $self->{pid}, 0;
	$self->{pid} = undef;
	return;
}

sub DESTROY { local ($?, $@); $_[0]->stop; return }

# In the process: until it is told to go, or its parent has.
sub carry
{
	my ($self) = @_;
	my $parent = getppid;
	my @pairs;

	while (getppid == $parent)
	{
		my %cut = $self->read_cuts;
		my (@read, @write);

		@pairs = grep { !finished($_, $cut{ $_->{name} } // '') } @pairs;
		foreach my $pair (grep { ($cut{ $_->{name} } // '') ne 'hold' } @pairs)
		{
			foreach my $way (@{ $pair->{ways} })
			{
				push @read, $way->{in} if !$way->{ended} && length $way->{held} < HELD_MAX;
				push @write, $way->{out} if length $way->{held};
			}
		}
		push @read, map { $_->{socket} } @{ $self->{listeners} };
		my ($readable, $writeable) = IO::Select::select(IO::Select->new(@read), IO::Select->new(@write), undef, 0.05);
		my %ready = map { $_ => 1 } @{ $readable // [] };
		my %room = map { $_ => 1 } @{ $writeable // [] };

		foreach my $way (map { @{ $_->{ways} } } @pairs)
		{
			receive($way) if $ready{ $way->{in} };
			pass_on($way) if $room{ $way->{out} } || ($ready{ $way->{in} } && length $way->{held});
		}
		foreach my $listener (grep { $ready{ $_->{socket} } } @{ $self->{listeners} })
		{
			my $pair = admit($listener, $cut{ $listener->{name} } // '');

			push @pairs, $pair if defined $pair;
		}
	}
	return;
}

sub read_cuts
{
	my ($self) = @_;
	my %cut;

	open my $handle, '<', $self->{file} or return ();
	while (<$handle>) { $cut{$1} = $2 if /^(.+)=(\w+)$/ }
	close $handle;
	return %cut;
}

# A client and the connection that it gets; both ways are carried.
sub admit
{
	my ($listener, $cut) = @_;
	my $client = $listener->{socket}->accept or return undef;
	my $server = $cut eq 'close' ? undef : IO::Socket::UNIX->new(Peer => $listener->{target});

	if (!defined $server)
	{
		$client->close;
		return undef;
	}
	$client->blocking(0);
	$server->blocking(0);
	return {
		name => $listener->{name},
		ways => [ { in => $client, out => $server, held => '', ended => 0 }, { in => $server, out => $client, held => '', ended => 0 } ]
	};
}

# Is this pair over?  Then it is closed.
sub finished
{
	my ($pair, $cut) = @_;
	my $over = $cut eq 'close' || grep { $_->{ended} && !length $_->{held} } @{ $pair->{ways} };

	return 0 if !$over;
	$_->{in}->close foreach (@{ $pair->{ways} });
	return 1;
}

sub receive
{
	my ($way) = @_;
	my $got = sysread $way->{in}, my $bytes, 65536;

	if (defined $got) { $got ? ($way->{held} .= $bytes) : ($way->{ended} = 1) }
	elsif ($! != EAGAIN && $! != EWOULDBLOCK && $! != EINTR) { $way->{ended} = 1 }
	return;
}

sub pass_on
{
	my ($way) = @_;
	my $put = syswrite $way->{out}, $way->{held};

	if (defined $put) { substr($way->{held}, 0, $put) = '' }
	elsif ($! != EAGAIN && $! != EWOULDBLOCK && $! != EINTR) { ($way->{ended}, $way->{held}) = (1, '') }
	return;
}

1;

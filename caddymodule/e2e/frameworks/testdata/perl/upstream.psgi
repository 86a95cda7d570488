# Answers with everything that Perl's CGI and Plack believe they received.

use strict;
use warnings;

use CGI;
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use Plack::Request;

my $json = JSON::PP->new->utf8->allow_nonref;

# cgi asks CGI.pm, which most of Perl's forms run on.
sub cgi {
    my ($env, $raw) = @_;
    local %ENV = (%ENV, map { $_ => $env->{$_} } grep { !/[^A-Z0-9_]/ && !ref $env->{$_} } keys %$env);
    open my $in, '<', \$raw or die $!;
    local *STDIN = $in;
    CGI::initialize_globals();
    my $q = CGI->new;
    return { map { $_ => [ map { "$_" } $q->multi_param($_) ] } $q->multi_param },
        { map { $_ => [ map { $_ // "" } $q->url_param($_) ] } grep { defined } $q->url_param };
}

sub lists { my ($params) = @_; return { map { $_ => [ $params->get_all($_) ] } keys %$params } }

sub {
    my ($env) = @_;
    my $request = Plack::Request->new($env);
    my $raw = $request->raw_body;
    my %believed = (json => scalar eval { $json->decode($raw) });
    $believed{query} = eval { lists($request->query_parameters) };
    $believed{body} = eval { lists($request->body_parameters) };
    $believed{files} = eval {
        my $uploads = $request->uploads;
        [ map {
            my $field = $_;
            map {
                open my $file, '<:raw', $_->path or die $!;
                my $content = do { local $/; <$file> };
                +{ field => $field, filename => $_->filename, type => $_->content_type, content => encode_base64($content, '') };
            } $uploads->get_all($field);
        } keys %$uploads ];
    };
    @believed{qw(cgi cgi_url)} = eval { cgi($env, $raw) };
    my $answer = JSON::PP->new->latin1->encode({
        method => $request->method, path => $request->path, believed => \%believed,
    });
    return [ 200, [ 'Content-Type' => 'application/json' ], [ $answer ] ];
};

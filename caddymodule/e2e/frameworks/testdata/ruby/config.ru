# Answers with everything that Rack believes it received.

require 'base64'
require 'json'
require 'rack'

# Values with bytes that are no UTF-8 go as far as they are.
def text(value)
  case value
  when String then value.dup.force_encoding('UTF-8').scrub
  when Array then value.map { |v| text(v) }
  when Hash then value.to_h { |k, v| [text(k.to_s), text(v)] }
  else value
  end
end

# Takes the uploads out of params, into files.
def uploads(params, files)
  return params unless params.is_a?(Hash) || params.is_a?(Array)
  return params.map { |v| uploads(v, files) } if params.is_a?(Array)

  if params[:tempfile]
    files << { field: params[:name], filename: params[:filename], type: params[:type].to_s,
               content: Base64.strict_encode64(params[:tempfile].read) }
    params[:tempfile].rewind
    return nil
  end
  params.to_h { |k, v| [k, uploads(v, files)] }.reject { |k, v| v.nil? && params[k] }
end

def attempt
  yield
rescue StandardError
  nil
end

use Rack::MethodOverride
run lambda { |env|
  request = Rack::Request.new(env)
  raw = env['rack.input'].read
  env['rack.input'].rewind
  files = []
  believed = {
    get: attempt { request.GET },
    post: attempt { uploads(request.POST, files) },
    params: attempt { uploads(request.params, []) },
    files: files,
    json: attempt { JSON.parse(raw) }
  }
  body = JSON.generate(text(method: request.request_method, path: request.path, believed: believed))
  [200, { 'Content-Type' => 'application/json' }, [body]]
}

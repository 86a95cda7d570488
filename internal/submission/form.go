package submission

import "errors"

// Form reads body as application/x-www-form-urlencoded and appends to dst
// what the plan keeps of it, pairs in the order they came. On an error, an
// [*Error], dst is returned as it came.
func (p *Plan) Form(dst, body []byte, lim Limits, rep *Report) ([]byte, error) {
	return dst, errors.ErrUnsupported
}

// Query is [Plan.Form] for the query of a URL, without its question mark.
func (p *Plan) Query(dst, query []byte, lim Limits, rep *Report) ([]byte, error) {
	return dst, errors.ErrUnsupported
}
